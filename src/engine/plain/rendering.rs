//! Packets as clients of plain WebSocket get them.

use std::{borrow::Cow, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value as Json, value::RawValue};

use super::{
    Settings,
    envelope::{self, Asked},
};
use crate::engine::{
    Protocol,
    frame::Frame,
    packet::{Kind, Packet},
};

/// The event that is a bare text, whatever else is.
const TEXT: &str = "message";

/// An event in an envelope, without its offset; `None` for every other packet.
pub(in crate::engine) fn envelope(frame: &Frame) -> Option<Arc<Frame>> {
    let text = frame.text(Protocol::V3);
    let (id, json) = event(&text)?;
    let json = inlined(json, frame.attachments());
    let list: Vec<&RawValue> = serde_json::from_str(&json).ok()?;
    let (name, arguments) = list.split_first()?;
    Some(envelope::event(name.get(), id, &envelope::data(arguments)))
}

/// An event as a bare text, if it is one: `message` and the texts' own event with a string, and where texts are
/// saved, what is saved.
pub(in crate::engine) fn bare_text(frame: &Frame, settings: &Settings) -> Option<Arc<Frame>> {
    let text = frame.text(Protocol::V3);
    let (None, json) = event(&text)? else { return None };
    let (name, argument): (Cow<'_, str>, &RawValue) = serde_json::from_str(json).ok()?;
    if settings.saved_event == Some(&*name) {
        return saved_text(argument.get()).map(|text| Frame::of(&[&text]));
    }
    let is_text = name == TEXT || name == settings.text_event;
    let text: String = is_text.then(|| serde_json::from_str(argument.get()).ok()).flatten()?;
    Some(Frame::of(&[&text]))
}

/// The answer to an event, from its acknowledgement. `None` where nobody asked.
pub(super) fn reply(frame: &Frame, asked: impl FnOnce(u64) -> Option<Asked>) -> Option<Arc<Frame>> {
    let text = frame.text(Protocol::V3);
    let packet = Packet::parse(text.get(1..)?).ok()?;
    let asked = asked(packet.id?)?;
    let json = inlined(packet.data, frame.attachments());
    let arguments: Vec<&RawValue> = serde_json::from_str(&json).ok()?;
    Some(envelope::reply(Some(&asked), &envelope::outcome(&arguments)))
}

/// The id under which an event is to be acknowledged, and its JSON.
fn event(text: &str) -> Option<(Option<u64>, &str)> {
    let packet = Packet::parse(text.get(1..)?).ok()?;
    (packet.kind == Kind::Event).then_some((packet.id, packet.data))
}

/// The text that was saved, where it was a bare one; else the body's JSON.
fn saved_text(json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Saved<'a> {
        #[serde(borrow)]
        message: Message<'a>,
    }
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        body: &'a RawValue,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Text {
        value: String,
    }
    let Saved { message: Message { body } } = serde_json::from_str(json).ok()?;
    Some(match serde_json::from_str(body.get()) {
        Ok(Text { value }) => value,
        Err(_) => body.get().to_owned(),
    })
}

/// JSON with its attachments in it, as base64 where their placeholders were.
fn inlined<'a>(json: &'a str, attachments: &[Bytes]) -> Cow<'a, str> {
    if attachments.is_empty() {
        return json.into();
    }
    let Ok(mut value) = serde_json::from_str(json) else { return json.into() };
    let mut attachments: Vec<_> = attachments.iter().map(Some).collect();
    inline(&mut value, &mut attachments);
    value.to_string().into()
}

/// Each attachment has one place: a small packet with many placeholders for one large attachment must not become
/// large itself. Where it is asked for again there is null.
fn inline(value: &mut Json, attachments: &mut [Option<&Bytes>]) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(|item| inline(item, attachments)),
        Json::Object(members) if members.get("_placeholder") == Some(&Json::Bool(true)) => {
            let number = members.get("num").and_then(Json::as_u64).and_then(|num| usize::try_from(num).ok());
            let attachment = number.and_then(|number| attachments.get_mut(number)?.take());
            *value = attachment.map_or(Json::Null, |attachment| Json::String(STANDARD.encode(attachment)));
        }
        Json::Object(members) => members.values_mut().for_each(|member| inline(member, attachments)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
