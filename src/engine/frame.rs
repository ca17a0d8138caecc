//! A packet on its way out: framed once, shared by all who receive it.

use std::{
    fmt::Write as _,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

use super::{
    Protocol,
    offset::Offsets,
    pressure::{Account, PacketCharge},
    websocket::{self, HEADER_MAX, opcode},
};

/// The bytes of a packet with its attachments, as WebSocket frames; its text stands in them for polling.
#[derive(Default)]
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
    /// The packets that were joined to this one. Most frames are one packet, and have none.
    parts: Box<[Arc<Frame>]>,
    /// The same for Engine.IO 4 without the offset.
    without_offset: OnceLock<Arc<Frame>>,
    /// The same for Engine.IO 3: no offset, and a type before each attachment.
    legacy: OnceLock<Vec<u8>>,
    /// What clients of plain WebSocket get instead, with envelopes and without; `None` where they get nothing.
    envelope: OnceLock<Option<Arc<Frame>>>,
    bare_text: OnceLock<Option<Arc<Frame>>>,
    /// What it costs, from the first queue or log on that holds it.
    charge: OnceLock<PacketCharge>,
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

    /// A text message of plain WebSocket, put together from pieces.
    pub(super) fn of(pieces: &[&str]) -> Arc<Self> {
        let mut text = room(pieces.iter().map(|piece| piece.len()).sum());
        text.extend(pieces.iter().copied());
        Self::new(text, Vec::new(), 0, 0)
    }

    /// A control frame of WebSocket, with at most 125 bytes; polling knows no such thing.
    pub(crate) fn control(opcode: u8, payload: &[u8]) -> Arc<Self> {
        let mut buffer = Vec::new();
        websocket::append(&mut buffer, opcode, &[], payload);
        Arc::new(Self { buffer, ..Self::default() })
    }

    /// What stands before all frames: the head of a response.
    pub(super) fn head(text: String) -> Arc<Self> {
        Arc::new(Self { buffer: text.into_bytes(), ..Self::default() })
    }

    /// Several events in one piece, for WebSockets.
    pub(crate) fn joined(parts: Vec<Arc<Self>>) -> Arc<Self> {
        let buffer = concatenated(&parts, Protocol::V4);
        let number = parts.last().map_or(0, |last| last.number);
        Arc::new(Self { buffer, number, parts: parts.into_boxed_slice(), ..Self::default() })
    }

    /// The packets that it is made of; itself, where it is one.
    pub(super) fn parts(self: &Arc<Self>) -> &[Arc<Self>] {
        if self.parts.is_empty() { std::slice::from_ref(self) } else { &self.parts }
    }

    /// Whether it is made of several packets.
    pub(super) fn is_joined(&self) -> bool {
        !self.parts.is_empty()
    }

    fn new(text: String, attachments: Vec<Bytes>, offset_len: usize, number: u64) -> Arc<Self> {
        let mut buffer = text.into_bytes();
        let text_end = buffer.len();
        let room = buffer.first_chunk_mut::<HEADER_MAX>().expect("room was left for it");
        let start = websocket::header(opcode::TEXT, text_end - HEADER_MAX, room);
        for attachment in &attachments {
            websocket::append(&mut buffer, opcode::BINARY, &[], attachment);
        }
        let attachments = attachments.into_boxed_slice();
        Arc::new(Self { buffer, start, text_end, offset_len, number, attachments, ..Self::default() })
    }

    /// What it costs, whoever holds it; charged once, by the first queue or log.
    pub(super) fn charge(&self, account: &Arc<Account>) -> &PacketCharge {
        self.charge.get_or_init(|| PacketCharge::new(account, self.cost()))
    }

    /// Bytes of it, its attachments, its parts and its other forms.
    fn cost(&self) -> usize {
        let attachments: usize = self.attachments.iter().map(Bytes::len).sum();
        let parts: usize = self.parts.iter().map(|part| part.cost()).sum();
        size_of::<Self>() + self.buffer.capacity() + attachments + parts + self.forms()
    }

    /// Bytes of its other forms, which live as long as it does. One that a queue holds is charged there once more.
    fn forms(&self) -> usize {
        let frames = [
            self.without_offset.get(),
            self.envelope.get().and_then(Option::as_ref),
            self.bare_text.get().and_then(Option::as_ref),
        ];
        let frames: usize = frames.into_iter().flatten().map(|frame| frame.buffer.capacity()).sum();
        frames + self.legacy.get().map_or(0, Vec::len)
    }

    /// Charges for another form that was made of it.
    fn grown(&self, bytes: usize) {
        if let Some(charge) = self.charge.get() {
            charge.grow(bytes);
        }
    }

    /// A queue holds it no longer.
    pub(super) fn unqueued(self: &Arc<Self>) {
        if let Some(charge) = self.charge.get() {
            charge.unqueued(Arc::strong_count(self) == 1);
        }
    }

    /// The event's number; 0 for what is not replayed.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// What goes through a WebSocket.
    pub(super) fn wire(&self, protocol: Protocol) -> &[u8] {
        let is_same =
            protocol != Protocol::V3 || (self.offset_len == 0 && self.attachments.is_empty() && self.parts.is_empty());
        if is_same {
            return &self.buffer[self.start..];
        }
        self.legacy.get_or_init(|| {
            if self.is_joined() {
                let buffer = concatenated(&self.parts, protocol);
                // The parts have been written in this form, too.
                self.grown(2 * buffer.len());
                return buffer;
            }
            let (text, end) = self.legacy_text();
            let mut buffer = Vec::new();
            websocket::append(&mut buffer, opcode::TEXT, text, end);
            for attachment in &self.attachments {
                websocket::append(&mut buffer, opcode::BINARY, &LEGACY_BINARY, attachment);
            }
            self.grown(buffer.len());
            buffer
        })
    }

    /// As clients of Engine.IO 4 get it that are not recovered; itself, where there is no offset in it.
    pub(super) fn without_offset(self: &Arc<Self>) -> &Arc<Self> {
        if self.number == 0 {
            return self;
        }
        self.without_offset.get_or_init(|| {
            let form = if self.is_joined() {
                let form = Self::joined(self.parts.iter().map(|part| part.without_offset().clone()).collect());
                // The parts have been written in this form, too.
                self.grown(form.buffer.capacity());
                form
            } else {
                let (start, end) = self.legacy_text();
                let mut text = room(start.len() + end.len());
                for piece in [start, end] {
                    text.push_str(std::str::from_utf8(piece).expect("it was made of text"));
                }
                Self::new(text, self.attachments.to_vec(), 0, 0)
            };
            self.grown(form.buffer.capacity());
            form
        })
    }

    /// The packet as an envelope of plain WebSocket; `None` where such clients do not get it. `render` makes it of one
    /// packet.
    pub(super) fn envelope(&self, render: impl Fn(&Self) -> Option<Arc<Self>>) -> Option<&Arc<Self>> {
        self.envelope.get_or_init(|| self.rendered(render)).as_ref()
    }

    /// The packet as a bare text of plain WebSocket; `None` where such clients do not get it. `render` makes it of one
    /// packet.
    pub(super) fn bare_text(&self, render: impl Fn(&Self) -> Option<Arc<Self>>) -> Option<&Arc<Self>> {
        self.bare_text.get_or_init(|| self.rendered(render)).as_ref()
    }

    fn rendered(&self, render: impl Fn(&Self) -> Option<Arc<Self>>) -> Option<Arc<Self>> {
        let form = if self.is_joined() {
            let parts: Vec<_> = self.parts.iter().filter_map(|part| render(part)).collect();
            (!parts.is_empty()).then(|| Self::joined(parts))
        } else {
            render(self)
        };
        self.grown(form.as_ref().map_or(0, |form| form.buffer.capacity()));
        form
    }

    /// Whether it is an acknowledgement.
    pub(super) fn is_ack(&self) -> bool {
        self.text_end > HEADER_MAX && matches!(self.buffer.get(HEADER_MAX + 1), Some(b'3' | b'6'))
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
            Protocol::V4 | Protocol::Plain => (&self.buffer[HEADER_MAX.min(self.text_end)..self.text_end], &[][..]),
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

fn concatenated(parts: &[Arc<Frame>], protocol: Protocol) -> Vec<u8> {
    let pieces: Vec<_> = parts.iter().map(|part| part.wire(protocol)).collect();
    pieces.concat()
}

/// Room for the frame's header.
fn room(len: usize) -> String {
    const HEADER: &str = match std::str::from_utf8(&[0; HEADER_MAX]) {
        Ok(zeros) => zeros,
        Err(_) => unreachable!(),
    };
    let mut text = String::with_capacity(HEADER_MAX + len);
    text.push_str(HEADER);
    text
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

#[cfg(test)]
mod tests;
