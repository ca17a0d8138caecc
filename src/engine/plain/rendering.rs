//! Renders packets for clients of plain WebSocket.

use std::{borrow::Cow, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::{self, ReplyFields};
use crate::{
    engine::{
        frame::Frame,
        packet::{Packet, PacketType},
        settings::PlainSettings,
        version::Protocol,
    },
    input::{self, Object},
};

/// The name of an event that is rendered as a bare text, like the event named by [`PlainSettings::text_event`].
const TEXT: &str = "message";

/// Renders an event as an envelope, without its recovery offset. `None` for every other packet.
pub(super) fn envelope(frame: &Frame) -> Option<Arc<Frame>> {
    let text = frame.text(Protocol::V3);
    let (id, json) = event(&text)?;
    let json = inlined(json, frame.attachments());
    let list: Vec<&RawValue> = serde_json::from_str(&json).ok()?;
    let (name, arguments) = list.split_first()?;
    Some(envelope::event(name.get(), id, &envelope::data(arguments)))
}

/// Renders an event as a bare text. Two kinds of events have one: `message` and [`PlainSettings::text_event`], if the
/// argument is a string; and [`PlainSettings::saved_event`], if texts are saved. `None` for all other events, and for
/// an event that asks for an acknowledgement.
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

/// Renders an acknowledgement as the reply to a client's event. `None` if the client expects no reply.
pub(super) fn reply(frame: &Frame, reply_fields: impl FnOnce(u64) -> Option<ReplyFields>) -> Option<Arc<Frame>> {
    let text = frame.text(Protocol::V3);
    let packet = Packet::parse(text.get(1..)?).ok()?;
    let reply_fields = reply_fields(packet.id?)?;
    let json = inlined(packet.data, frame.attachments());
    let arguments: Vec<&RawValue> = serde_json::from_str(&json).ok()?;
    Some(envelope::reply(Some(&reply_fields), &envelope::outcome(&arguments)))
}

/// The acknowledgement id of an EVENT, if the event asks for one, and the JSON of its name and arguments. `None` for
/// other packets.
fn event(text: &str) -> Option<(Option<u64>, &str)> {
    let packet = Packet::parse(text.get(1..)?).ok()?;
    (packet.kind == PacketType::Event).then_some((packet.id, packet.data))
}

/// The text of a saved message whose body is `{ "value": <string> }`. For any other body, the JSON of the body.
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

/// Replaces placeholders in `json` by the base64 text of their attachments. Each attachment is inserted once, and
/// further placeholders for it become null. This keeps a small packet with many placeholders for one large attachment
/// from becoming very large.
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
