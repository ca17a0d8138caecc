//! Payloads of long polling: the packets of Engine.IO in one body
//! (<https://github.com/socketio/engine.io-protocol>, versions 4 and 3).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{frame::Frame, version::Protocol};

/// The separator of packets in version 4.
const SEPARATOR: char = '\u{1e}';

/// A packet in the body of a POST.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// A text packet: its type and its data.
    Text(&'a str),
    /// A binary message.
    Binary(Bytes),
}

/// The error for a body that is not a valid payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAPayload;

/// Appends a packet with its attachments.
pub(super) fn append(payload: &mut String, frame: &Frame, protocol: Protocol) {
    let text = frame.text(protocol);
    if text.is_empty() {
        return;
    }
    append_text(payload, &text, protocol);
    for attachment in frame.attachments() {
        append_binary(payload, attachment, protocol);
    }
}

/// Appends a binary message.
pub(super) fn append_binary(payload: &mut String, data: &[u8], protocol: Protocol) {
    let mut text = match protocol {
        Protocol::V4 | Protocol::Plain => "b".to_owned(),
        Protocol::V3 => "b4".to_owned(),
    };
    STANDARD.encode_string(data, &mut text);
    append_text(payload, &text, protocol);
}

/// Appends a text packet: its type and its data.
pub(super) fn append_text(payload: &mut String, text: &str, protocol: Protocol) {
    match protocol {
        Protocol::V4 | Protocol::Plain => {
            if !payload.is_empty() {
                payload.push(SEPARATOR);
            }
        }
        Protocol::V3 => {
            // Lengths are those of JavaScript's strings: UTF-16 code units.
            payload.push_str(&text.encode_utf16().count().to_string());
            payload.push(':');
        }
    }
    payload.push_str(text);
}

/// An iterator over the packets of a body. They are parsed one by one, since a small body may hold many. The iteration
/// ends after the first error.
pub(crate) struct Packets<'a> {
    rest: Rest<'a>,
    protocol: Protocol,
}

/// The part of the body that is not parsed yet.
enum Rest<'a> {
    Text(&'a str),
    /// The binary form of version 3.
    Bytes(&'a [u8]),
    Nothing,
}

impl<'a> Packets<'a> {
    /// The packets in a body of text.
    pub(crate) fn of_text(body: &'a str, protocol: Protocol) -> Self {
        Self { rest: Rest::Text(body), protocol }
    }

    /// The packets in a body in the binary form of version 3.
    pub(crate) fn of_bytes(body: &'a [u8]) -> Self {
        Self { rest: Rest::Bytes(body), protocol: Protocol::V3 }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, NotAPayload>;

    fn next(&mut self) -> Option<Self::Item> {
        let (packet, rest) = match (std::mem::replace(&mut self.rest, Rest::Nothing), self.protocol) {
            (Rest::Nothing, _) => return None,
            (Rest::Text(body), Protocol::V4 | Protocol::Plain) => match body.split_once(SEPARATOR) {
                Some((packet, rest)) => (one(packet), Rest::Text(rest)),
                None => (one(body), Rest::Nothing),
            },
            (Rest::Text(body), Protocol::V3) => match of_v3(body) {
                Ok((packet, "")) => (packet, Rest::Nothing),
                Ok((packet, rest)) => (packet, Rest::Text(rest)),
                Err(error) => (Err(error), Rest::Nothing),
            },
            (Rest::Bytes(body), _) => match of_v3_binary(body) {
                Ok((packet, [])) => (Ok(packet), Rest::Nothing),
                Ok((packet, rest)) => (Ok(packet), Rest::Bytes(rest)),
                Err(error) => (Err(error), Rest::Nothing),
            },
        };
        if packet.is_ok() {
            self.rest = rest;
        }
        Some(packet)
    }
}

/// Parses one packet of version 4.
fn one(text: &str) -> Result<Packet<'_>, NotAPayload> {
    match text.as_bytes() {
        [] => Err(NotAPayload),
        [b'b', ..] => binary(text, Protocol::V4).map(Packet::Binary),
        _ => Ok(Packet::Text(text)),
    }
}

/// Decodes a binary message: base64 after `b`, in version 3 after `b4`.
pub(super) fn binary(text: &str, protocol: Protocol) -> Result<Bytes, NotAPayload> {
    let prefix = match protocol {
        Protocol::V4 | Protocol::Plain => "b",
        Protocol::V3 => "b4",
    };
    let base64 = text.strip_prefix(prefix).ok_or(NotAPayload)?;
    STANDARD.decode(base64).map(Bytes::from).map_err(|_| NotAPayload)
}

/// Parses the first packet of version 3, `<length>:<packet>`, and returns it with the rest of the body. The length is
/// in UTF-16 code units.
fn of_v3(body: &str) -> Result<(Result<Packet<'_>, NotAPayload>, &str), NotAPayload> {
    let (length, rest) = body.split_once(':').ok_or(NotAPayload)?;
    let mut length: usize = length.parse().map_err(|_| NotAPayload)?;
    let mut end = 0;
    for char in rest.chars() {
        if length == 0 {
            break;
        }
        length = length.checked_sub(char.len_utf16()).ok_or(NotAPayload)?;
        end += char.len_utf8();
    }
    if length > 0 {
        return Err(NotAPayload);
    }
    let (text, after) = rest.split_at(end);
    let packet = match text.as_bytes() {
        [b'b', ..] => binary(text, Protocol::V3).map(Packet::Binary),
        // An empty packet is valid, and the receiver skips it, as in Node.
        _ => Ok(Packet::Text(text)),
    };
    Ok((packet, after))
}

/// Parses the first packet of the binary form of version 3, `<0 text | 1 binary> <length, one byte a digit> 0xFF
/// <packet>`, and returns it with the rest of the body.
fn of_v3_binary(body: &[u8]) -> Result<(Packet<'_>, &[u8]), NotAPayload> {
    let [kind, rest @ ..] = body else { return Err(NotAPayload) };
    let end = rest.iter().position(|byte| *byte == 0xFF).ok_or(NotAPayload)?;
    if end == 0 || end > 15 || rest[..end].iter().any(|digit| *digit > 9) {
        return Err(NotAPayload);
    }
    let length = rest[..end].iter().fold(0_usize, |length, digit| length * 10 + usize::from(*digit));
    let rest = &rest[end + 1..];
    let (packet, after) = rest.split_at_checked(length).ok_or(NotAPayload)?;
    let packet = match (kind, packet) {
        (0, packet) if !packet.is_empty() => Packet::Text(std::str::from_utf8(packet).map_err(|_| NotAPayload)?),
        (1, [4, data @ ..]) => Packet::Binary(Bytes::copy_from_slice(data)),
        _ => return Err(NotAPayload),
    };
    Ok((packet, after))
}

#[cfg(test)]
mod tests;
