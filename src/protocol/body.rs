//! The payloads that carry a body: control fields are read and taken out, the other fields stay the text they
//! came as.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{EditMessage, SendMessage};
use crate::model::{Body, NAME_MAX_CHARS};

impl SendMessage {
    /// From the payload's JSON text.
    pub(super) fn parse(payload: &str) -> Result<Self, String> {
        let (body, [room, to, idempotency_key]) = split(payload, ["room", "to", "idempotencyKey"])?;
        let idempotency_key: Option<String> = optional("idempotencyKey", idempotency_key)?;
        let send = Self { room: optional("room", room)?, to: optional("to", to)?, idempotency_key, body };
        send.checked()
    }

    /// Refuses an idempotency key that is none.
    pub(crate) fn checked(self) -> Result<Self, String> {
        if self.idempotency_key.as_deref().is_some_and(|key| key.is_empty() || key.chars().count() > NAME_MAX_CHARS) {
            return Err(format!("idempotencyKey must have 1 to {NAME_MAX_CHARS} characters"));
        }
        Ok(self)
    }
}

/// A body that stands alone: an object as it is, anything else as `{ "value": ... }`.
pub(crate) fn whole(body: &RawValue) -> Result<Body, String> {
    split(body.get(), []).map(|(body, [])| body)
}

impl<'de> Deserialize<'de> for SendMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Box::<RawValue>::deserialize(deserializer)?.get()).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for EditMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let payload = Box::<RawValue>::deserialize(deserializer)?;
        let (body, [id]) = split(payload.get(), ["id"]).map_err(D::Error::custom)?;
        let id = optional("id", id).map_err(D::Error::custom)?.ok_or_else(|| D::Error::missing_field("id"))?;
        Ok(Self { id, body })
    }
}

fn optional<T: DeserializeOwned>(field: &str, value: Option<&RawValue>) -> Result<Option<T>, String> {
    let Some(value) = value else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|error| format!("{field}: {error}"))
}

/// Takes the control fields out of a JSON text. What is left is the body: the same bytes, in the same order.
/// Anything but an object becomes `{ "value": ... }`.
fn split<'a, const N: usize>(text: &'a str, control: [&str; N]) -> Result<(Body, [Option<&'a RawValue>; N]), String> {
    let text = text.trim();
    let mut found = [None; N];
    if !text.starts_with('{') {
        return Ok((Body::from_json(format!("{{\"value\":{text}}}")), found));
    }
    let Members(members) = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut kept = String::with_capacity(text.len());
    let mut end = 1;
    for (key, value) in &members {
        // Where the value's text ends within `text`, of which it is a slice.
        let value_end = value.get().as_ptr() as usize - text.as_ptr() as usize + value.get().len();
        let member = text[end..value_end].trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        end = value_end;
        match control.iter().position(|name| name == key) {
            Some(place) => found[place] = Some(*value),
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

/// The members of an object in their order, values as text.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A key, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The text of one field of a body, where it is a string.
pub(crate) fn string_field(body: &Body, field: &str) -> Option<String> {
    let Members(members) = serde_json::from_str(body.as_str()).ok()?;
    let (_, value) = members.iter().rev().find(|(key, _)| key == field)?;
    serde_json::from_str(value.get()).ok()
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
    fn what_is_no_object_becomes_a_value() {
        assert_eq!(body(r#""hello""#), r#"{"value":"hello"}"#);
        assert_eq!(body("[1, 2]"), r#"{"value":[1, 2]}"#);
    }

    #[test]
    fn an_escaped_control_field_is_still_one() {
        let send: SendMessage = serde_json::from_str(r#"{"r\u006fom":"a","x":1}"#).unwrap();
        assert_eq!(send.room.unwrap().to_string(), "a");
        assert_eq!(send.body.as_str(), r#"{"x":1}"#);
    }

    #[test]
    fn control_fields_of_a_wrong_kind_are_refused() {
        for payload in [
            r#"{"room":1}"#,
            r#"{"to":""}"#,
            r#"{"room":"\u0001x"}"#,
            r#"{"idempotencyKey":""}"#,
            r#"{"idempotencyKey":7}"#,
        ] {
            assert!(serde_json::from_str::<SendMessage>(payload).is_err(), "{payload}");
        }
    }
}
