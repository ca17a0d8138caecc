//! A frame: an encoded packet of Socket.IO or Engine.IO. It is encoded once, and all receivers share it.

mod forms;
mod packets;
mod saved;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::{
    memory::{Account, PacketCharge},
    version::Protocol,
    websocket::{self, HEADER_MAX, opcode},
};

/// The bytes of a packet and its attachments, as WebSocket frames. Long polling reads the packet's text from them.
#[derive(Default)]
pub(crate) struct Frame {
    /// The WebSocket frames for Engine.IO 4. They begin at `start`.
    buffer: Vec<u8>,
    start: usize,
    /// The end of the Engine.IO packet's text, which begins at [`HEADER_MAX`].
    text_end: usize,
    /// The length of the offset with its comma and quotes; 0 if there is none.
    offset_len: usize,
    /// The number of the event's offset; 0 if it has none.
    number: u64,
    /// Whether a recovery does not repeat the event.
    is_transient: bool,
    attachments: Box<[Bytes]>,
    /// The packets of a joined frame. Empty if the frame is one packet, as most frames are.
    parts: Box<[Arc<Frame>]>,
    /// The packet for Engine.IO 4 without the offset.
    without_offset: OnceLock<Arc<Frame>>,
    /// The WebSocket frames for Engine.IO 3: without the offset, and with a type byte before each attachment.
    legacy: OnceLock<Vec<u8>>,
    /// The packet for plain WebSocket clients, as an envelope and as a bare text. `None` if they do not get it.
    envelope: OnceLock<Option<Arc<Frame>>>,
    bare_text: OnceLock<Option<Arc<Frame>>>,
    /// The charge for the frame's memory. Set when the first queue or log holds the frame.
    charge: OnceLock<PacketCharge>,
}

/// The type byte of Engine.IO 3's binary messages.
const LEGACY_BINARY: [u8; 1] = [4];

impl Frame {
    /// Joins several events into one frame, which is cheaper to send over WebSockets.
    pub(crate) fn joined(parts: Vec<Arc<Self>>) -> Arc<Self> {
        let buffer = concatenated(&parts, Protocol::V4);
        let number = parts.last().map_or(0, |last| last.number);
        Arc::new(Self { buffer, number, parts: parts.into_boxed_slice(), ..Self::default() })
    }

    /// The packets of a joined frame. If the frame is one packet, the frame itself.
    pub(super) fn parts(self: &Arc<Self>) -> &[Arc<Self>] {
        if self.parts.is_empty() { std::slice::from_ref(self) } else { &self.parts }
    }

    /// Whether it is a joined frame.
    pub(super) fn is_joined(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Creates the frame of one packet. `text` is the packet, after [`HEADER_MAX`] placeholder bytes from [`room`].
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

    /// The frame's charge, which all queues and logs share. The first call creates it.
    pub(super) fn charge(&self, account: &Arc<Account>) -> &PacketCharge {
        self.charge.get_or_init(|| PacketCharge::new(account, self.cost()))
    }

    /// The bytes of the frame, with its attachments, its parts and its other encodings.
    fn cost(&self) -> usize {
        let attachments: usize = self.attachments.iter().map(Bytes::len).sum();
        let parts: usize = self.parts.iter().map(|part| part.cost()).sum();
        size_of::<Self>() + self.buffer.capacity() + attachments + parts + self.forms()
    }

    /// A queue has removed the frame.
    pub(super) fn unqueued(self: &Arc<Self>) {
        if let Some(charge) = self.charge.get() {
            charge.unqueued(Arc::strong_count(self) == 1);
        }
    }

    /// The number of the event's offset; 0 if it has none.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The event as one that a recovery does not repeat. It still has an offset, which the client may send. The frame is
    /// not in use yet.
    pub(crate) fn transient(mut self: Arc<Self>) -> Arc<Self> {
        Arc::get_mut(&mut self).expect("the frame is not in use yet").is_transient = true;
        self
    }

    /// Whether a recovery does not repeat the event.
    pub(super) fn is_transient(&self) -> bool {
        self.is_transient
    }

    /// The bytes to write to a WebSocket.
    pub(super) fn websocket_bytes(&self, protocol: Protocol) -> &[u8] {
        let is_same =
            protocol != Protocol::V3 || (self.offset_len == 0 && self.attachments.is_empty() && self.parts.is_empty());
        if is_same {
            return &self.buffer[self.start..];
        }
        self.legacy.get_or_init(|| {
            if self.is_joined() {
                let buffer = concatenated(&self.parts, protocol);
                // Twice, because each part keeps its own encoding for this protocol too.
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

    /// The packet's text, for polling. Empty for WebSocket's own frames.
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

/// A text that begins with room for a WebSocket header and has capacity for `len` more bytes.
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
    let pieces: Vec<_> = parts.iter().map(|part| part.websocket_bytes(protocol)).collect();
    pieces.concat()
}

#[cfg(test)]
mod tests;
