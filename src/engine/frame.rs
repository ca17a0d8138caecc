//! A frame: a packet of Socket.IO or Engine.IO as it leaves. It is encoded once and shared by all who receive it.

mod forms;
mod packets;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::{
    memory::{Account, PacketCharge},
    version::Protocol,
    websocket::{self, HEADER_MAX, opcode},
};

/// The bytes of a packet and its attachments, as WebSocket frames. Long polling takes the packet's text out of them.
#[derive(Default)]
pub(crate) struct Frame {
    /// The WebSocket frames for Engine.IO 4, from `start` on.
    buffer: Vec<u8>,
    start: usize,
    /// The end of the Engine.IO packet's text, which begins at [`HEADER_MAX`].
    text_end: usize,
    /// The length of the offset with its comma and quotes.
    offset_len: usize,
    /// The number of the event's offset; 0 where it has none.
    number: u64,
    attachments: Box<[Bytes]>,
    /// The packets that it was joined from. Empty where it is one packet, as most frames are.
    parts: Box<[Arc<Frame>]>,
    /// The packet for Engine.IO 4 without the offset.
    without_offset: OnceLock<Arc<Frame>>,
    /// The WebSocket frames for Engine.IO 3: without the offset, and with a type before each attachment.
    legacy: OnceLock<Vec<u8>>,
    /// The packet for plain WebSocket, as an envelope and as a bare text; `None` where such clients do not get it.
    envelope: OnceLock<Option<Arc<Frame>>>,
    bare_text: OnceLock<Option<Arc<Frame>>>,
    /// The memory it is charged for, once a queue or log holds it.
    charge: OnceLock<PacketCharge>,
}

/// The type byte of Engine.IO 3's binary messages.
const LEGACY_BINARY: [u8; 1] = [4];

impl Frame {
    /// Joins several events to one frame, which is cheaper to send over WebSockets.
    pub(crate) fn joined(parts: Vec<Arc<Self>>) -> Arc<Self> {
        let buffer = concatenated(&parts, Protocol::V4);
        let number = parts.last().map_or(0, |last| last.number);
        Arc::new(Self { buffer, number, parts: parts.into_boxed_slice(), ..Self::default() })
    }

    /// The packets that it was joined from; itself where it is one packet.
    pub(super) fn parts(self: &Arc<Self>) -> &[Arc<Self>] {
        if self.parts.is_empty() { std::slice::from_ref(self) } else { &self.parts }
    }

    /// Whether it was joined from several packets.
    pub(super) fn is_joined(&self) -> bool {
        !self.parts.is_empty()
    }

    /// `text` has [`HEADER_MAX`] bytes before the packet, from [`room`].
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

    /// Its charge. Made by the first queue or log that holds it; the others share it.
    pub(super) fn charge(&self, account: &Arc<Account>) -> &PacketCharge {
        self.charge.get_or_init(|| PacketCharge::new(account, self.cost()))
    }

    /// Bytes of it with its attachments, its parts and its other forms.
    fn cost(&self) -> usize {
        let attachments: usize = self.attachments.iter().map(Bytes::len).sum();
        let parts: usize = self.parts.iter().map(|part| part.cost()).sum();
        size_of::<Self>() + self.buffer.capacity() + attachments + parts + self.forms()
    }

    /// A queue that held it has let it go.
    pub(super) fn unqueued(self: &Arc<Self>) {
        if let Some(charge) = self.charge.get() {
            charge.unqueued(Arc::strong_count(self) == 1);
        }
    }

    /// The number of the event's offset; 0 where it has none.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The bytes to write to a WebSocket.
    pub(super) fn wire(&self, protocol: Protocol) -> &[u8] {
        let is_same =
            protocol != Protocol::V3 || (self.offset_len == 0 && self.attachments.is_empty() && self.parts.is_empty());
        if is_same {
            return &self.buffer[self.start..];
        }
        self.legacy.get_or_init(|| {
            if self.is_joined() {
                let buffer = concatenated(&self.parts, protocol);
                // Each part has this form now, too.
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

    /// Whether it is an acknowledgement.
    pub(super) fn is_ack(&self) -> bool {
        self.text_end > HEADER_MAX && matches!(self.buffer.get(HEADER_MAX + 1), Some(b'3' | b'6'))
    }

    /// The packet's text without the offset, in two pieces.
    fn legacy_text(&self) -> (&[u8], &[u8]) {
        let text = &self.buffer[HEADER_MAX.min(self.text_end)..self.text_end];
        if self.offset_len == 0 {
            return (text, &[]);
        }
        (&text[..text.len() - 1 - self.offset_len], b"]")
    }

    /// The packet's text, for polling; empty for frames that only WebSocket has.
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

/// A text that begins with room for a WebSocket header, and has capacity for `len` more bytes.
fn room(len: usize) -> String {
    const HEADER: &str = match std::str::from_utf8(&[0; HEADER_MAX]) {
        Ok(zeros) => zeros,
        Err(_) => unreachable!(),
    };
    let mut text = String::with_capacity(HEADER_MAX + len);
    text.push_str(HEADER);
    text
}

fn concatenated(parts: &[Arc<Frame>], protocol: Protocol) -> Vec<u8> {
    let pieces: Vec<_> = parts.iter().map(|part| part.wire(protocol)).collect();
    pieces.concat()
}

#[cfg(test)]
mod tests;
