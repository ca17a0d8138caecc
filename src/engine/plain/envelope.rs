//! Parses and writes the JSON envelopes of plain WebSocket. Every field name and every `eventType` is defined here.

use std::{borrow::Cow, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    engine::frame::Frame,
    error::{Code, Error},
    input::{self, Object, described},
};

/// Maximal bytes of the JSON text of `event` and of `requestId`. The server keeps both until it replies.
const ECHOED_MAX: usize = 256;

/// The `eventType` of a client's event.
const EVENT: &str = "ClientEvent";
/// The `eventType` of a reply.
const REPLY: &str = "Reply";

/// A parsed envelope from a client.
pub(super) enum ClientEnvelope<'a> {
    /// `Register`: the client asks to join the root namespace. The JSON value is `requestData`: the credentials, if
    /// any.
    Register(ReplyFields, Option<&'a RawValue>),
    /// `Unregister`: the client leaves the namespace, and the server closes the connection.
    Unregister(ReplyFields),
    /// `Heartbeat`: the server replies and does nothing else.
    Heartbeat(ReplyFields),
    /// Any other `ClientEvent`: an event for the namespace. `data` is its argument.
    Event { name: Cow<'a, str>, reply_fields: ReplyFields, data: Option<&'a RawValue> },
    /// `Reply`: the client acknowledges an event from the server. `id` is the `requestId` of that event.
    Reply { id: u64, data: Option<&'a RawValue> },
}

/// The fields of a client's envelope that the server repeats in its reply, each as the JSON text that the client sent.
pub(super) struct ReplyFields {
    event: Box<str>,
    request_id: Option<Box<str>>,
}

/// Why a text frame could not be parsed as an envelope.
pub(super) enum EnvelopeError {
    /// The text is not an envelope. It may be a bare text.
    NotAnEnvelope,
    /// A field of the envelope is missing or invalid. Holds the fields for the reply, and the error message.
    InvalidField(ReplyFields, String),
}

impl<'a> ClientEnvelope<'a> {
    /// Parses an envelope: a JSON object with the `eventType` `ClientEvent` or `Reply`. The `eventType` may be missing
    /// if `event` is `Heartbeat`.
    pub(super) fn parse(text: &'a str) -> Result<Self, EnvelopeError> {
        if !text.trim_start().starts_with('{') {
            return Err(EnvelopeError::NotAnEnvelope);
        }
        let fields = Object::of(text).ok_or(EnvelopeError::NotAnEnvelope)?;
        let event_type = match fields.get("eventType").map(|value| input::decoded(value.get())) {
            None => None,
            Some(Some(name)) if name == EVENT || name == REPLY => Some(name),
            Some(_) => return Err(EnvelopeError::NotAnEnvelope),
        };
        if event_type.as_deref() == Some(REPLY) {
            let id = fields.get("requestId").map_or("null", RawValue::get);
            let is_wrong =
                || format!("requestId must be the number of the event that is answered, not {}", described(id));
            let id =
                id.parse().map_err(|_| EnvelopeError::InvalidField(ReplyFields::without_event(None), is_wrong()))?;
            return Ok(Self::Reply { id, data: fields.get("data") });
        }
        let data = fields.get("requestData");
        let (name, reply_fields) = match (ReplyFields::of(&fields), &event_type) {
            (Ok(parsed), _) => parsed,
            (Err(wrong), Some(_)) => return Err(wrong),
            (Err(_), None) => return Err(EnvelopeError::NotAnEnvelope),
        };
        match (&event_type, &*name) {
            (_, "Heartbeat") => Ok(Self::Heartbeat(reply_fields)),
            (None, _) => Err(EnvelopeError::NotAnEnvelope),
            (Some(_), "Register") => Ok(Self::Register(reply_fields, data)),
            (Some(_), "Unregister") => Ok(Self::Unregister(reply_fields)),
            (Some(_), _) => Ok(Self::Event { name, reply_fields, data }),
        }
    }
}

impl ReplyFields {
    /// Reads `event` and `requestId`. Returns the decoded event name, and both fields for the reply.
    fn of<'a>(fields: &Object<'a>) -> Result<(Cow<'a, str>, Self), EnvelopeError> {
        let request_id = fields.get("requestId").map(RawValue::get);
        let may_be_echoed = |id: &str| !id.starts_with(['{', '[']) && id.len() <= ECHOED_MAX;
        if let Some(id) = request_id.filter(|id| !may_be_echoed(id)) {
            let came = if id.len() > ECHOED_MAX { "a longer one".into() } else { described(id) };
            let sentence = format!(
                "requestId must be a string, a number, true, false or null, of at most {ECHOED_MAX} bytes, not {came}"
            );
            return Err(EnvelopeError::InvalidField(Self::without_event(None), sentence));
        }
        let wrong = |sentence| EnvelopeError::InvalidField(Self::without_event(request_id), sentence);
        let event = fields.get("event").ok_or_else(|| wrong("event is missing".to_owned()))?.get();
        let name =
            input::decoded(event).ok_or_else(|| wrong(format!("event must be a string, not {}", described(event))))?;
        if event.len() > ECHOED_MAX {
            return Err(wrong(format!("event must have at most {ECHOED_MAX} bytes")));
        }
        Ok((name, Self { event: event.into(), request_id: request_id.map(Into::into) }))
    }

    /// The fields for the reply to an envelope with a missing or invalid field: `event` is `null`.
    fn without_event(request_id: Option<&str>) -> Self {
        Self { event: "null".into(), request_id: request_id.map(Into::into) }
    }
}

/// Translates a name from PascalCase to kebab-case. `None` if it is in another case.
pub(super) fn kebab(name: &str) -> Option<String> {
    if !name.starts_with(|first: char| first.is_ascii_uppercase()) || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let mut kebab = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    Some(kebab)
}

/// Writes a `ServerEvent`. `name` and `data` are JSON texts. `request_id` is the id of the acknowledgement, if the
/// event asks for one.
pub(super) fn event(name: &str, request_id: Option<u64>, data: &str) -> Arc<Frame> {
    let request_id = request_id.map_or_else(String::new, |id| format!(r#""requestId":{id},"#));
    Frame::of(&[r#"{"eventType":"ServerEvent","event":"#, name, ",", &request_id, r#""data":"#, data, "}"])
}

/// Writes a reply. `outcome` is the JSON text of `{ success, data }` or `{ success, error }`. `reply_fields` is `None`
/// if the client's text was not an envelope.
pub(super) fn reply(reply_fields: Option<&ReplyFields>, outcome: &str) -> Arc<Frame> {
    let event = reply_fields.map_or("null", |fields| &fields.event);
    let (id_name, id) = match reply_fields.and_then(|fields| fields.request_id.as_deref()) {
        Some(id) => (r#","requestId":"#, id),
        None => ("", ""),
    };
    Frame::of(&[r#"{"eventType":"Reply","event":"#, event, id_name, id, ",", &outcome[1..]])
}

/// The JSON text of a successful outcome. `data` is a JSON text.
pub(super) fn done(data: &str) -> String {
    format!(r#"{{"success":true,"data":{data}}}"#)
}

/// The JSON text of a failed outcome. `error` is a JSON text.
pub(super) fn failed(error: &str) -> String {
    format!(r#"{{"success":false,"error":{error}}}"#)
}

/// The JSON text of an error: `{ code, message }`.
pub(super) fn error(error: &Error) -> String {
    failure(&error.wire_code(), &error.to_string())
}

fn failure(code: &str, message: &str) -> String {
    serde_json::json!({ "code": code, "message": message }).to_string()
}

/// The outcome for a reply, from the arguments of an acknowledgement. A serialized `protocol::Reply` is used unchanged.
/// All other arguments become the `data` of a successful outcome.
pub(super) fn outcome<'a>(arguments: &[&'a RawValue]) -> Cow<'a, str> {
    match arguments {
        [one] if is_reply(one.get()) => one.get().into(),
        _ => done(&data(arguments)).into(),
    }
}

/// Whether a JSON text is exactly one serialized `protocol::Reply`.
fn is_reply(json: &str) -> bool {
    let value = json
        .strip_prefix(r#"{"success":true,"data":"#)
        .or_else(|| json.strip_prefix(r#"{"success":false,"error":"#))
        .and_then(|rest| rest.strip_suffix('}'));
    value.is_some_and(|value| serde_json::from_str::<&RawValue>(value).is_ok())
}

/// The arguments of an event as one value: null if there is none, an array if there are several.
pub(super) fn data<'a>(arguments: &[&'a RawValue]) -> Cow<'a, str> {
    match arguments {
        [] => "null".into(),
        [one] => one.get().into(),
        several => {
            let texts: Vec<&str> = several.iter().map(|argument| argument.get()).collect();
            format!("[{}]", texts.join(",")).into()
        }
    }
}

/// The error for which a client was not admitted to the namespace.
pub(in crate::engine) struct ConnectError {
    /// The code of the error.
    pub(super) code: String,
    /// The `error` of a reply, as JSON.
    pub(super) error: String,
}

/// Creates a [`ConnectError`] from the message and the `data` of a CONNECT_ERROR. Without `data`, the message is the
/// error code. `data` with a `code` and a `message` is used unchanged as the error. Any other `data` comes from an
/// application's middleware: the code is `forbidden`.
pub(super) fn connect_error(message: &str, data: Option<&str>) -> ConnectError {
    #[derive(Deserialize)]
    struct Failure {
        code: String,
        #[serde(rename = "message")]
        _message: String,
    }
    let Some(data) = data else { return ConnectError { code: message.to_owned(), error: failure(message, message) } };
    if let Ok(Failure { code, .. }) = serde_json::from_str(data) {
        return ConnectError { code, error: data.to_owned() };
    }
    let code = Code::Forbidden.as_str();
    let message = serde_json::Value::from(message);
    ConnectError { code: code.to_owned(), error: format!(r#"{{"code":"{code}","message":{message},"data":{data}}}"#) }
}

#[cfg(test)]
mod tests;
