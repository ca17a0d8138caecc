//! Creates frames: one function for each type of packet.

use std::{fmt::Write as _, sync::Arc};

use bytes::Bytes;

use super::{Frame, room};
use crate::engine::{
    offset::Offsets,
    websocket::{self, HEADER_MAX},
};

impl Frame {
    /// EVENT: the JSON text `["name", ...]` and its attachments. With `offsets`, an offset is appended as the last
    /// argument. An event that requests an acknowledgement must have no offset.
    pub(crate) fn event(
        namespace: &str,
        ack: Option<u64>,
        json: &str,
        attachments: Vec<Bytes>,
        offsets: Option<&Offsets>,
    ) -> Arc<Self> {
        let mut text = message('2', '5', namespace, ack, &attachments, json.len());
        let Some(offsets) = offsets else {
            text.push_str(json);
            return Self::new(text, attachments, 0, 0);
        };
        text.push_str(json.trim_end());
        text.pop();
        let before = text.len();
        let number = offsets.next();
        text.extend([",\"", offsets.tag(), ".", itoa::Buffer::new().format(number), "\""]);
        let offset_len = text.len() - before;
        text.push(']');
        Self::new(text, attachments, offset_len, number)
    }

    /// ACK: the JSON array of the acknowledgement's arguments.
    pub(crate) fn ack(namespace: &str, id: u64, json: &str, attachments: Vec<Bytes>) -> Arc<Self> {
        let mut text = message('3', '6', namespace, Some(id), &attachments, json.len());
        text.push_str(json);
        Self::new(text, attachments, 0, 0)
    }

    /// CONNECT with `{"sid":...,"pid":...}`. Without ids, CONNECT has no JSON, as clients of Engine.IO 3 expect it.
    pub(crate) fn connect(namespace: &str, ids: Option<(&str, Option<&str>)>) -> Arc<Self> {
        let mut text = message('0', '0', namespace, None, &[], 64);
        match ids {
            None => {}
            Some((sid, None)) => write!(text, r#"{{"sid":"{sid}"}}"#).expect("writing to a String cannot fail"),
            Some((sid, Some(pid))) => {
                write!(text, r#"{{"sid":"{sid}","pid":"{pid}"}}"#).expect("writing to a String cannot fail");
            }
        }
        Self::new(text, Vec::new(), 0, 0)
    }

    /// CONNECT_ERROR with its JSON.
    pub(crate) fn connect_error(namespace: &str, json: &str) -> Arc<Self> {
        let mut text = message('4', '4', namespace, None, &[], json.len());
        text.push_str(json);
        Self::new(text, Vec::new(), 0, 0)
    }

    /// DISCONNECT.
    pub(crate) fn disconnect(namespace: &str) -> Arc<Self> {
        Self::new(message('1', '1', namespace, None, &[], 0), Vec::new(), 0, 0)
    }

    /// A packet of Engine.IO. `packet` is its type digit and its data.
    pub(crate) fn engine(packet: &str) -> Arc<Self> {
        let mut text = room(packet.len());
        text.push_str(packet);
        Self::new(text, Vec::new(), 0, 0)
    }

    /// A text message of plain WebSocket, concatenated from the pieces.
    pub(in crate::engine) fn of(pieces: &[&str]) -> Arc<Self> {
        let mut text = room(pieces.iter().map(|piece| piece.len()).sum());
        text.extend(pieces.iter().copied());
        Self::new(text, Vec::new(), 0, 0)
    }

    /// A control frame of WebSocket with a payload of at most 125 bytes. Must not be sent over polling.
    pub(crate) fn control(opcode: u8, payload: &[u8]) -> Arc<Self> {
        let mut buffer = Vec::new();
        websocket::append(&mut buffer, opcode, &[], payload);
        Arc::new(Self { buffer, ..Self::default() })
    }

    /// The head of an HTTP response, which is sent before all other frames.
    pub(in crate::engine) fn head(text: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { buffer: text, ..Self::default() })
    }
}

/// The text of a packet up to its JSON, with capacity for the JSON and for the frames of the attachments.
fn message(
    plain: char,
    binary: char,
    namespace: &str,
    id: Option<u64>,
    attachments: &[Bytes],
    json_len: usize,
) -> String {
    let frames: usize = attachments.iter().map(|attachment| HEADER_MAX + attachment.len()).sum();
    let mut text = room(json_len + namespace.len() + 32 + frames);
    text.push('4');
    if attachments.is_empty() {
        text.push(plain);
    } else {
        text.push(binary);
        text.push_str(itoa::Buffer::new().format(attachments.len()));
        text.push('-');
    }
    if namespace != "/" {
        text.push_str(namespace);
        text.push(',');
    }
    if let Some(id) = id {
        text.push_str(itoa::Buffer::new().format(id));
    }
    text
}
