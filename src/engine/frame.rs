//! A packet on its way out: framed once, shared by all who receive it.

use std::{
    fmt::Write as _,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

use super::{
    Protocol,
    offset::Offsets,
    websocket::{self, HEADER_MAX, opcode},
};

/// The bytes of a packet with its attachments, as WebSocket frames; its text stands in them for polling.
pub(crate) struct Frame {
    /// Frames of Engine.IO 4, from `start`.
    buffer: Vec<u8>,
    start: usize,
    /// Where the text of the Engine.IO packet ends; it begins at [`HEADER_MAX`].
    text_end: usize,
    /// How long the offset is with its comma and quotes.
    offset_len: usize,
    /// The event's number; 0 for what is not replayed.
    number: u64,
    attachments: Box<[Bytes]>,
    /// The same for Engine.IO 3: no offset, and a type before each attachment.
    legacy: OnceLock<Vec<u8>>,
}

/// The type of Engine.IO 3's binary messages.
const LEGACY_BINARY: [u8; 1] = [4];

impl Frame {
    /// An event: the JSON text `["name", ...]` and its attachments. With `offsets` it bears one, as its last
    /// argument; events that ask for an acknowledgement bear none.
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

    /// An acknowledgement: the JSON array of its arguments.
    pub(crate) fn ack(namespace: &str, id: u64, json: &str, attachments: Vec<Bytes>) -> Arc<Self> {
        let mut text = message('3', '6', namespace, Some(id), attachments.len(), json.len());
        text.push_str(json);
        Self::new(text, attachments, 0, 0)
    }

    /// CONNECT. The ids are those of `{"sid":...,"pid":...}`; clients of Engine.IO 3 are told none.
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

    /// A packet of Engine.IO itself.
    pub(crate) fn engine(packet: &str) -> Arc<Self> {
        let mut text = room(packet.len());
        text.push_str(packet);
        Self::new(text, Vec::new(), 0, 0)
    }

    /// A control frame of WebSocket, with at most 125 bytes; polling knows no such thing.
    pub(crate) fn control(opcode: u8, payload: &[u8]) -> Arc<Self> {
        let mut buffer = Vec::new();
        websocket::append(&mut buffer, opcode, &[], payload);
        let (attachments, legacy) = (Box::default(), OnceLock::new());
        Arc::new(Self { buffer, start: 0, text_end: 0, offset_len: 0, number: 0, attachments, legacy })
    }

    fn new(text: String, attachments: Vec<Bytes>, offset_len: usize, number: u64) -> Arc<Self> {
        let mut buffer = text.into_bytes();
        let text_end = buffer.len();
        let room = buffer.first_chunk_mut::<HEADER_MAX>().expect("room was left for it");
        let start = websocket::header(opcode::TEXT, text_end - HEADER_MAX, room);
        for attachment in &attachments {
            websocket::append(&mut buffer, opcode::BINARY, &[], attachment);
        }
        let (attachments, legacy) = (attachments.into_boxed_slice(), OnceLock::new());
        Arc::new(Self { buffer, start, text_end, offset_len, number, attachments, legacy })
    }

    /// The event's number; 0 for what is not replayed.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// What goes through a WebSocket.
    pub(super) fn wire(&self, protocol: Protocol) -> &[u8] {
        let is_same = protocol == Protocol::V4 || (self.offset_len == 0 && self.attachments.is_empty());
        if is_same {
            return &self.buffer[self.start..];
        }
        self.legacy.get_or_init(|| {
            let (text, end) = self.legacy_text();
            let mut buffer = Vec::new();
            websocket::append(&mut buffer, opcode::TEXT, text, end);
            for attachment in &self.attachments {
                websocket::append(&mut buffer, opcode::BINARY, &LEGACY_BINARY, attachment);
            }
            buffer
        })
    }

    /// The text without the offset, in two pieces.
    fn legacy_text(&self) -> (&[u8], &[u8]) {
        let text = &self.buffer[HEADER_MAX.min(self.text_end)..self.text_end];
        if self.offset_len == 0 {
            return (text, &[]);
        }
        (&text[..text.len() - 1 - self.offset_len], b"]")
    }

    /// The packet's text, for polling; empty for what polling knows nothing of.
    pub(super) fn text(&self, protocol: Protocol) -> String {
        let (text, end) = match protocol {
            Protocol::V4 => (&self.buffer[HEADER_MAX.min(self.text_end)..self.text_end], &[][..]),
            Protocol::V3 => self.legacy_text(),
        };
        let mut owned = String::with_capacity(text.len() + end.len());
        owned.push_str(std::str::from_utf8(text).expect("it was made of text"));
        owned.push_str(std::str::from_utf8(end).expect("it was made of text"));
        owned
    }

    /// The attachments, for polling.
    pub(super) fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }
}

/// Room for the frame's header.
fn room(len: usize) -> String {
    let mut text = String::with_capacity(HEADER_MAX + len);
    text.extend(std::iter::repeat_n('\0', HEADER_MAX));
    text
}

/// Everything before the JSON of a packet.
fn message(
    plain: char,
    binary: char,
    namespace: &str,
    id: Option<u64>,
    attachments: usize,
    json_len: usize,
) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_framed_once_for_each_kind_of_client() {
        let offsets = Offsets::new();
        let frame = Frame::event("/", None, r#"["a",1]"#, vec![Bytes::from_static(b"xyz")], Some(&offsets));
        let text = format!(r#"451-["a",1,"{}.1"]"#, offsets.tag());
        let mut expected = vec![0x81, text.len() as u8];
        expected.extend_from_slice(text.as_bytes());
        expected.extend_from_slice(b"\x82\x03xyz");
        assert_eq!(frame.wire(Protocol::V4), expected);
        assert_eq!(frame.wire(Protocol::V3), b"\x81\x0b451-[\"a\",1]\x82\x04\x04xyz".as_slice());
        assert_eq!(frame.text(Protocol::V4), text);
        assert_eq!(frame.text(Protocol::V3), r#"451-["a",1]"#);
    }

    #[test]
    fn long_texts_have_long_headers() {
        for len in [0_usize, 125, 126, 65_535, 65_536] {
            let frame = Frame::engine(&"x".repeat(len));
            let header = match len {
                0..126 => 2,
                126..65_536 => 4,
                _ => 10,
            };
            assert_eq!(frame.wire(Protocol::V4).len(), header + len);
        }
    }
}
