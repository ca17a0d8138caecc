//! Payloads with a message body: the control fields are parsed, and the other fields are the body, which keeps the text
//! that was sent.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;

use super::{EditMessage, SendMessage};
use crate::{
    input::{self, Object, check_depth, described},
    model::{Body, MessageId, NAME_MAX_CHARS, RoomRef, UserId},
};

impl SendMessage {
    /// Parses the payload's JSON text.
    pub(super) fn parse(payload: &str) -> Result<Self, String> {
        let (body, [room, to, idempotency_key]) = split(payload, "the payload", ["room", "to", "idempotencyKey"])?;
        let send = Self {
            room: room.map(|room| input::key("room", room, RoomRef::parse)).transpose()?,
            to: to.map(|to| input::key("to", to, UserId::parse)).transpose()?,
            idempotency_key: idempotency_key
                .filter(|key| key.get() != "null")
                .map(|key| text("idempotencyKey", key))
                .transpose()?,
            body,
        };
        send.checked()
    }

    /// Checks the length of the idempotency key.
    pub(crate) fn checked(self) -> Result<Self, String> {
        if self.idempotency_key.as_deref().is_some_and(|key| key.is_empty() || key.chars().count() > NAME_MAX_CHARS) {
            return Err(format!("idempotencyKey must have 1 to {NAME_MAX_CHARS} characters"));
        }
        Ok(self)
    }
}

/// Converts a JSON value to a body: an object stays as it is, a plain value becomes `{ "value": ... }`.
pub(crate) fn whole(body: &RawValue) -> Result<Body, String> {
    check_depth(body.get(), "body")?;
    split(body.get(), "body", []).map(|(body, [])| body)
}

impl<'de> Deserialize<'de> for SendMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Box::<RawValue>::deserialize(deserializer)?.get()).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for EditMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Box::<RawValue>::deserialize(deserializer)?.get()).map_err(D::Error::custom)
    }
}

impl EditMessage {
    fn parse(payload: &str) -> Result<Self, String> {
        let (body, [id]) = split(payload, "the payload", ["id"])?;
        let id = text("id", id.ok_or("id is missing")?)?;
        Ok(Self { id: MessageId::parse(&id).map_err(|sentence| format!("id: {sentence}"))?, body })
    }
}

fn text(field: &str, value: &RawValue) -> Result<String, String> {
    if input::has_lone_surrogate(value.get()) {
        return Err(format!("{field}: {}", input::LONE_SURROGATE));
    }
    let text = input::decoded(value.get());
    let text = text.ok_or_else(|| format!("{field} must be a string, not {}", described(value.get())))?;
    Ok(text.into_owned())
}

/// Splits a JSON text into the control fields and the body, which keeps its bytes and their order. A plain value
/// becomes `{ "value": ... }`; an array is an error. `whole` is the name of the text in error messages.
fn split<'a, const N: usize>(
    text: &'a str,
    whole: &str,
    control: [&str; N],
) -> Result<(Body, [Option<&'a RawValue>; N]), String> {
    let text = text.trim();
    let mut found = [None; N];
    if text.starts_with('[') {
        return Err(format!("{whole} must be an object or a plain value, not an array"));
    }
    if !text.starts_with('{') {
        return Ok((Body::from_json(format!("{{\"value\":{text}}}")), found));
    }
    let members = Object::of(text).ok_or_else(|| format!("{whole} is not valid JSON"))?;
    let mut kept = String::with_capacity(text.len());
    let mut end = 1;
    for (key, value) in members.iter() {
        // Where the value ends within `text`: `value` is a slice of it.
        let value_end = value.get().as_ptr() as usize - text.as_ptr() as usize + value.get().len();
        let member = text[end..value_end].trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        end = value_end;
        match control.iter().position(|name| *name == key) {
            Some(place) => found[place] = Some(value),
            None => {
                kept.push(if kept.is_empty() { '{' } else { ',' });
                kept.push_str(member);
            }
        }
    }
    if found.iter().all(Option::is_none) {
        return Ok((Body::from_json(text), found));
    }
    kept.push_str(if kept.is_empty() { "{}" } else { "}" });
    Ok((Body::from_json(kept), found))
}

/// One field of a body, as JSON text.
pub(crate) fn field<'a>(body: &'a Body, name: &str) -> Option<&'a RawValue> {
    Object::of(body.as_str())?.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(payload: &str) -> String {
        serde_json::from_str::<SendMessage>(payload).unwrap().body.as_str().to_owned()
    }

    #[test]
    fn the_other_fields_stay_byte_for_byte() {
        assert_eq!(
            body(r#"{"room":"a","text":"é","n":1.00,"big":12345678901234567890}"#),
            r#"{"text":"é","n":1.00,"big":12345678901234567890}"#
        );
        assert_eq!(
            body(r#"{ "k\u0065y" : [1, 2 ] , "to":"bob", "b" :{ "room":1 } }"#),
            r#"{"k\u0065y" : [1, 2 ],"b" :{ "room":1 }}"#
        );
        assert_eq!(body(r#"{ "text" : "as it was" }"#), r#"{ "text" : "as it was" }"#);
        assert_eq!(body(r#"{"room":"a"}"#), "{}");
        assert_eq!(body(r#"{"a":1,"a":2}"#), r#"{"a":1,"a":2}"#);
    }

    #[test]
    fn a_plain_value_becomes_an_object_with_value() {
        assert_eq!(body(r#""hello""#), r#"{"value":"hello"}"#);
        for payload in ["1.50", "true", "null"] {
            assert_eq!(body(payload), format!(r#"{{"value":{payload}}}"#));
        }
        assert!(SendMessage::parse("[1, 2]").is_err());
    }

    #[test]
    fn an_escaped_control_field_is_recognised() {
        let send: SendMessage = serde_json::from_str(r#"{"r\u006fom":"a","x":1}"#).unwrap();
        assert_eq!(send.room.unwrap().to_string(), "a");
        assert_eq!(send.body.as_str(), r#"{"x":1}"#);
    }

    #[test]
    fn control_fields_of_a_wrong_kind_are_refused() {
        for (payload, sentence) in [
            (r#"{"room":2.0}"#, "room must be a string or a whole number, not 2.0"),
            (r#"{"room":null}"#, "room must be a string or a whole number, not null"),
            (r#"{"to":["bob"]}"#, "to must be a string or a whole number, not an array"),
            (r#"{"to":1e3}"#, "to must be a string or a whole number, not 1e3"),
            (r#"{"to":""}"#, "to: a user id must not be empty"),
            (r#"{"room":"\u0001x"}"#, "room: a room's name must not contain control characters"),
            (r#"{"idempotencyKey":""}"#, "idempotencyKey must have 1 to 128 characters"),
            (r#"{"idempotencyKey":7}"#, "idempotencyKey must be a string, not 7"),
        ] {
            assert_eq!(SendMessage::parse(payload).unwrap_err(), sentence);
        }
    }

    #[test]
    fn a_null_idempotency_key_is_absent() {
        let send = SendMessage::parse(r#"{"idempotencyKey":null,"x":1}"#).unwrap();
        assert_eq!((send.idempotency_key, send.body.as_str()), (None, r#"{"x":1}"#));
    }

    #[test]
    fn a_whole_number_is_a_valid_name_in_its_written_form() {
        for number in ["2", "-7", "-0", "9999999999999999999", "-9999999999999999999"] {
            let send = SendMessage::parse(&format!(r#"{{"room":{number}}}"#)).unwrap();
            assert_eq!(send.room.unwrap().to_string(), number);
        }
        for number in ["10000000000000000000", "2.5", "2.0", "1e3", "true"] {
            assert!(SendMessage::parse(&format!(r#"{{"to":{number}}}"#)).is_err(), "{number}");
        }
    }
}
