//! Frames for each kind of packet.

use std::{fmt::Write as _, sync::Arc};

use bytes::Bytes;

use super::{Frame, room};
use crate::engine::{offset::Offsets, websocket};

impl Frame {
    /// EVENT: the JSON text `["name", ...]` and its attachments. With `offsets` it gets an offset as its last argument,
    /// which an event that asks for an acknowledgement must not have.
    pub(crate) fn event(
        namespace: &str,
        ack: Option<u64>,
        json: &str,
        attachments: Vec<Bytes>,
        offsets: Option<&Offsets>,
    ) -> Arc<Self> {
        let mut text = message('2', '5', namespace, ack, attachments.len(), json.len());
        let Some(offsets) = offsets else {
            text.push_str(json);
            return Self::new(text, attachments, 0, 0);
        };
        text.push_str(json.trim_end());
        text.pop();
        let before = text.len();
        let number = offsets.next();
        write!(text, ",\"{}.{number}\"", offsets.tag()).expect("a string takes everything");
        let offset_len = text.len() - before;
        text.push(']');
        Self::new(text, attachments, offset_len, number)
    }

    /// ACK: the JSON array of the acknowledgement's arguments.
    pub(crate) fn ack(namespace: &str, id: u64, json: &str, attachments: Vec<Bytes>) -> Arc<Self> {
        let mut text = message('3', '6', namespace, Some(id), attachments.len(), json.len());
        text.push_str(json);
        Self::new(text, attachments, 0, 0)
    }

    /// CONNECT. The ids are those of `{"sid":...,"pid":...}`; clients of Engine.IO 3 are sent none.
    pub(crate) fn connect(namespace: &str, ids: Option<(&str, Option<&str>)>) -> Arc<Self> {
        let mut text = message('0', '0', namespace, None, 0, 64);
        match ids {
            None => {}
            Some((sid, None)) => write!(text, r#"{{"sid":"{sid}"}}"#).expect("a string takes everything"),
            Some((sid, Some(pid))) => {
                write!(text, r#"{{"sid":"{sid}","pid":"{pid}"}}"#).expect("a string takes everything");
            }
        }
        Self::new(text, Vec::new(), 0, 0)
    }

    /// CONNECT_ERROR with its JSON.
    pub(crate) fn connect_error(namespace: &str, json: &str) -> Arc<Self> {
        let mut text = message('4', '4', namespace, None, 0, json.len());
        text.push_str(json);
        Self::new(text, Vec::new(), 0, 0)
    }

    /// DISCONNECT.
    pub(crate) fn disconnect(namespace: &str) -> Arc<Self> {
        Self::new(message('1', '1', namespace, None, 0, 0), Vec::new(), 0, 0)
    }

    /// A packet of Engine.IO itself: its type and its data.
    pub(crate) fn engine(packet: &str) -> Arc<Self> {
        let mut text = room(packet.len());
        text.push_str(packet);
        Self::new(text, Vec::new(), 0, 0)
    }

    /// A text message of plain WebSocket, joined from pieces.
    pub(in crate::engine) fn of(pieces: &[&str]) -> Arc<Self> {
        let mut text = room(pieces.iter().map(|piece| piece.len()).sum());
        text.extend(pieces.iter().copied());
        Self::new(text, Vec::new(), 0, 0)
    }

    /// A control frame of WebSocket with a payload of at most 125 bytes. Polling has no such frames.
    pub(crate) fn control(opcode: u8, payload: &[u8]) -> Arc<Self> {
        let mut buffer = Vec::new();
        websocket::append(&mut buffer, opcode, &[], payload);
        Arc::new(Self { buffer, ..Self::default() })
    }

    /// The head of an HTTP response, which is written before all frames.
    pub(in crate::engine) fn head(text: String) -> Arc<Self> {
        Arc::new(Self { buffer: text.into_bytes(), ..Self::default() })
    }
}

/// Everything before the JSON of a packet.
fn message(plain: char, binary: char, namespace: &str, id: Option<u64>, attachments: usize, json_len: usize) -> String {
    let mut text = room(json_len + namespace.len() + 32);
    text.push('4');
    if attachments == 0 {
        text.push(plain);
    } else {
        write!(text, "{binary}{attachments}-").expect("a string takes everything");
    }
    if namespace != "/" {
        text.push_str(namespace);
        text.push(',');
    }
    if let Some(id) = id {
        write!(text, "{id}").expect("a string takes everything");
    }
    text
}
