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
pub(super) enum Said<'a> {
    /// `Register`: the client asks to join the root namespace. The JSON value is `requestData`: the credentials, if
    /// any.
    Register(Asked, Option<&'a RawValue>),
    /// `Unregister`: the client leaves the namespace, and the server closes the connection.
    Unregister(Asked),
    /// `Heartbeat`: the server replies and does nothing else.
    Heartbeat(Asked),
    /// Any other `ClientEvent`: an event for the namespace. `data` is its argument.
    Event { name: Cow<'a, str>, asked: Asked, data: Option<&'a RawValue> },
    /// `Reply`: the client acknowledges an event from the server. `id` is the `requestId` of that event.
    Reply { id: u64, data: Option<&'a RawValue> },
}

/// The fields of a client's envelope that the server repeats in its reply, each as the JSON text that the client sent.
pub(super) struct Asked {
    event: Box<str>,
    request_id: Option<Box<str>>,
}

/// Why a text frame could not be parsed as an envelope.
pub(super) enum Unsaid {
    /// The text is not an envelope. It may be a bare text.
    NoEnvelope,
    /// A field of the envelope is missing or invalid. Holds the fields for the reply, and the error message.
    Wrong(Asked, String),
}

impl<'a> Said<'a> {
    /// Parses an envelope: a JSON object with the `eventType` `ClientEvent` or `Reply`. The `eventType` may be missing
    /// if `event` is `Heartbeat`.
    pub(super) fn parse(text: &'a str) -> Result<Self, Unsaid> {
        if !text.trim_start().starts_with('{') {
            return Err(Unsaid::NoEnvelope);
        }
        let fields = Object::of(text).ok_or(Unsaid::NoEnvelope)?;
        let event_type = match fields.get("eventType").map(|value| input::decoded(value.get())) {
            None => None,
            Some(Some(name)) if name == EVENT || name == REPLY => Some(name),
            Some(_) => return Err(Unsaid::NoEnvelope),
        };
        if event_type.as_deref() == Some(REPLY) {
            let id = fields.get("requestId").map_or("null", RawValue::get);
            let is_wrong =
                || format!("requestId must be the number of the event that is answered, not {}", described(id));
            let id = id.parse().map_err(|_| Unsaid::Wrong(Asked::nothing(None), is_wrong()))?;
            return Ok(Self::Reply { id, data: fields.get("data") });
        }
        let data = fields.get("requestData");
        let (name, asked) = match (Asked::of(&fields), &event_type) {
            (Ok(asked), _) => asked,
            (Err(wrong), Some(_)) => return Err(wrong),
            (Err(_), None) => return Err(Unsaid::NoEnvelope),
        };
        match (&event_type, &*name) {
            (_, "Heartbeat") => Ok(Self::Heartbeat(asked)),
            (None, _) => Err(Unsaid::NoEnvelope),
            (Some(_), "Register") => Ok(Self::Register(asked, data)),
            (Some(_), "Unregister") => Ok(Self::Unregister(asked)),
            (Some(_), _) => Ok(Self::Event { name, asked, data }),
        }
    }
}

impl Asked {
    /// Reads `event` and `requestId`. Returns the decoded event name, and both fields for the reply.
    fn of<'a>(fields: &Object<'a>) -> Result<(Cow<'a, str>, Self), Unsaid> {
        let request_id = fields.get("requestId").map(RawValue::get);
        let may_be_echoed = |id: &str| !id.starts_with(['{', '[']) && id.len() <= ECHOED_MAX;
        if let Some(id) = request_id.filter(|id| !may_be_echoed(id)) {
            let came = if id.len() > ECHOED_MAX { "a longer one".into() } else { described(id) };
            let sentence = format!(
                "requestId must be a string, a number, true, false or null, of at most {ECHOED_MAX} bytes, not {came}"
            );
            return Err(Unsaid::Wrong(Self::nothing(None), sentence));
        }
        let wrong = |sentence| Unsaid::Wrong(Self::nothing(request_id), sentence);
        let event = fields.get("event").ok_or_else(|| wrong("event is missing".to_owned()))?.get();
        let name =
            input::decoded(event).ok_or_else(|| wrong(format!("event must be a string, not {}", described(event))))?;
        if event.len() > ECHOED_MAX {
            return Err(wrong(format!("event must have at most {ECHOED_MAX} bytes")));
        }
        Ok((name, Self { event: event.into(), request_id: request_id.map(Into::into) }))
    }

    /// The fields for the reply to an envelope with a missing or invalid field: `event` is `null`.
    fn nothing(request_id: Option<&str>) -> Self {
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

/// Writes a reply. `outcome` is the JSON text of `{ success, data }` or `{ success, error }`. `asked` is `None` in the
/// reply to a text that is not an envelope.
pub(super) fn reply(asked: Option<&Asked>, outcome: &str) -> Arc<Frame> {
    let event = asked.map_or("null", |asked| &asked.event);
    let (id_name, id) = match asked.and_then(|asked| asked.request_id.as_deref()) {
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
    failure(error.code().as_str(), &error.to_string())
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

/// Why a client may not join the namespace.
pub(in crate::engine) struct Refusal {
    /// The code of the error.
    pub(super) code: String,
    /// The `error` of a reply, as JSON.
    pub(super) error: String,
}

/// Makes a refusal from the message and the `data` of a CONNECT_ERROR. Without `data`, the message is the error code.
/// `data` with a `code` and a `message` is used unchanged as the error. Any other `data` comes from an application's
/// middleware: the code is `forbidden`.
pub(super) fn refusal(message: &str, data: Option<&str>) -> Refusal {
    #[derive(Deserialize)]
    struct Failure {
        code: String,
        #[serde(rename = "message")]
        _message: String,
    }
    let Some(data) = data else { return Refusal { code: message.to_owned(), error: failure(message, message) } };
    if let Ok(Failure { code, .. }) = serde_json::from_str(data) {
        return Refusal { code, error: data.to_owned() };
    }
    let code = Code::Forbidden.as_str();
    let message = serde_json::Value::from(message);
    Refusal { code: code.to_owned(), error: format!(r#"{{"code":"{code}","message":{message},"data":{data}}}"#) }
}

#[cfg(test)]
mod tests;
