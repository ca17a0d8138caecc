//! Packets as clients of plain WebSocket get them.

use std::{borrow::Cow, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::{self, Asked};
use crate::{
    engine::{
        Protocol,
        frame::Frame,
        packet::{Kind, Packet},
        settings::PlainSettings,
    },
    input::{self, Object},
};

/// The event that is a bare text, whatever else is.
const TEXT: &str = "message";

/// An event in an envelope, without its offset; `None` for every other packet.
pub(super) fn envelope(frame: &Frame) -> Option<Arc<Frame>> {
    let text = frame.text(Protocol::V3);
    let (id, json) = event(&text)?;
    let json = inlined(json, frame.attachments());
    let list: Vec<&RawValue> = serde_json::from_str(&json).ok()?;
    let (name, arguments) = list.split_first()?;
    Some(envelope::event(name.get(), id, &envelope::data(arguments)))
}

/// An event as a bare text, if it is one: `message` and the texts' own event with a string, and where texts are
/// saved, what is saved.
pub(super) fn bare_text(frame: &Frame, settings: &PlainSettings) -> Option<Arc<Frame>> {
    let text = frame.text(Protocol::V3);
    let (None, json) = event(&text)? else { return None };
    let (name, argument): (&RawValue, &RawValue) = serde_json::from_str(json).ok()?;
    let name = input::decoded(name.get())?;
    if settings.saved_event == Some(&*name) {
        return saved_text(argument.get()).map(|text| Frame::of(&[&text]));
    }
    let is_text = name == TEXT || name == settings.text_event;
    let text = is_text.then(|| input::decoded(argument.get())).flatten()?;
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
    let Saved { message: Message { body } } = serde_json::from_str(json).ok()?;
    let members = Object::of(body.get())?;
    let value = members.get("value").filter(|_| members.iter().count() == 1);
    let text = value.and_then(|value| input::decoded(value.get()));
    Some(text.unwrap_or_else(|| body.get().into()).into_owned())
}

/// JSON with its attachments in it, as base64 where their placeholders were. Each attachment has one place: a small
/// packet with many placeholders for one large attachment must not become large itself. Where it is asked for again
/// there is null.
fn inlined<'a>(json: &'a str, attachments: &[Bytes]) -> Cow<'a, str> {
    if attachments.is_empty() {
        return json.into();
    }
    let mut attachments: Vec<_> = attachments.iter().map(Some).collect();
    input::replaced(json, |number| match attachments.get_mut(number).and_then(Option::take) {
        Some(attachment) => format!("\"{}\"", STANDARD.encode(attachment)),
        None => "null".to_owned(),
    })
}

#[cfg(test)]
mod tests;
