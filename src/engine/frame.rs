//! A packet on its way out: framed once, shared by all who receive it.

use std::{
    fmt::Write as _,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

use super::{
    PlainSettings, Protocol,
    offset::Offsets,
    plain,
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
        self.charge.get_or_init(|| {
            let attachments: usize = self.attachments.iter().map(Bytes::len).sum();
            let legacy = self.legacy.get().map_or(0, Vec::len);
            PacketCharge::new(account, size_of::<Self>() + self.buffer.capacity() + attachments + legacy)
        })
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
                return concatenated(&self.parts, protocol);
            }
            let (text, end) = self.legacy_text();
            let mut buffer = Vec::new();
            websocket::append(&mut buffer, opcode::TEXT, text, end);
            for attachment in &self.attachments {
                websocket::append(&mut buffer, opcode::BINARY, &LEGACY_BINARY, attachment);
            }
            if let Some(charge) = self.charge.get() {
                charge.grow(buffer.len());
            }
            buffer
        })
    }

    /// As clients of plain WebSocket with envelopes get it; `None` where it is no event.
    pub(super) fn envelope(&self) -> Option<&Arc<Self>> {
        self.envelope.get_or_init(|| self.rendered(plain::envelope)).as_ref()
    }

    /// As clients of plain WebSocket without envelopes get it; `None` where it is no text for them.
    pub(super) fn bare_text(&self, settings: &PlainSettings) -> Option<&Arc<Self>> {
        self.bare_text.get_or_init(|| self.rendered(|frame| plain::bare_text(frame, settings))).as_ref()
    }

    fn rendered(&self, render: impl Fn(&Self) -> Option<Arc<Self>>) -> Option<Arc<Self>> {
        if !self.is_joined() {
            return render(self);
        }
        let parts: Vec<_> = self.parts.iter().filter_map(|part| render(part)).collect();
        (!parts.is_empty()).then(|| Self::joined(parts))
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
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::engine::packet::Packet;

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

    /// A client's reading of what a server may send (RFC 6455, section 5.2): whole frames, unmasked, with the
    /// shortest length there is.
    fn read(mut wire: &[u8]) -> Vec<(u8, &[u8])> {
        let mut frames = Vec::new();
        while let [first, second, rest @ ..] = wire {
            assert_eq!((first & 0xF0, second & 0x80), (0x80, 0), "final, nothing reserved, no mask");
            let (len, rest) = match second {
                126 => {
                    let (len, rest) = rest.split_first_chunk().unwrap();
                    (u64::from(u16::from_be_bytes(*len)), rest)
                }
                127 => {
                    let (len, rest) = rest.split_first_chunk().unwrap();
                    (u64::from_be_bytes(*len), rest)
                }
                len => (u64::from(*len), rest),
            };
            let shortest = match len {
                0..126 => len as u8,
                126..65_536 => 126,
                _ => 127,
            };
            assert_eq!(*second, shortest);
            let (payload, rest) = rest.split_at(len as usize);
            frames.push((first & 0x0F, payload));
            wire = rest;
        }
        assert!(wire.is_empty(), "half a frame");
        frames
    }

    /// Sizes at which headers grow, those of packets around them among them.
    fn size() -> impl Strategy<Value = usize> {
        prop_oneof![4 => 0..20_usize, 4 => 80..130_usize, 1 => 65_480..65_540_usize]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn clients_of_both_versions_read_what_was_sent(
            letter in any::<char>(),
            text_size in size(),
            attachment_sizes in vec(size(), 0..4),
            namespace in prop::sample::select(vec!["/", "/chat", "/räume"]),
            id in option::of(any::<u64>()),
            is_numbered in any::<bool>(),
        ) {
            let text: String = std::iter::repeat_n(letter, text_size / letter.len_utf8()).collect();
            let json = serde_json::to_string(&("name", text)).unwrap();
            let attachments: Vec<_> =
                attachment_sizes.iter().map(|size| Bytes::from(vec![*size as u8; *size])).collect();
            let offsets = is_numbered.then(Offsets::new);
            let frame = Frame::event(namespace, id, &json, attachments.clone(), offsets.as_ref());
            let numbered = match &offsets {
                Some(offsets) => format!("{},\"{}.1\"]", json.strip_suffix(']').unwrap(), offsets.tag()),
                None => json.clone(),
            };
            for (protocol, prefix, json) in [(Protocol::V4, &[][..], &numbered), (Protocol::V3, &[4], &json)] {
                let frames = read(frame.wire(protocol));
                let ((kind, text), binary) = frames.split_first().unwrap();
                prop_assert_eq!(*kind, opcode::TEXT);
                let text = std::str::from_utf8(text).unwrap();
                prop_assert_eq!(text, frame.text(protocol));
                let packet = Packet::parse(text.strip_prefix('4').unwrap()).unwrap();
                prop_assert_eq!((packet.namespace, packet.id, packet.data), (namespace, id, json.as_str()));
                prop_assert_eq!(packet.attachments, attachments.len());
                prop_assert_eq!(binary.len(), attachments.len());
                for ((kind, data), attachment) in binary.iter().zip(&attachments) {
                    prop_assert_eq!(*kind, opcode::BINARY);
                    prop_assert_eq!(data.strip_prefix(prefix).unwrap(), attachment);
                }
            }
        }

        #[test]
        fn engine_packets_of_any_length_are_read_as_sent(len in size()) {
            let text = "x".repeat(len);
            let frame = Frame::engine(&text);
            for protocol in [Protocol::V4, Protocol::V3] {
                prop_assert_eq!(read(frame.wire(protocol)), [(opcode::TEXT, text.as_bytes())]);
            }
        }
    }

    #[test]
    fn headers_grow_where_they_must() {
        for len in [124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537] {
            // V3 puts a byte before it.
            let attachment = Bytes::from(vec![1; len]);
            let frame = Frame::event("/", None, "[]", vec![attachment.clone()], None);
            assert_eq!(read(frame.wire(Protocol::V4))[1], (opcode::BINARY, &attachment[..]));
            let (kind, data) = read(frame.wire(Protocol::V3))[1];
            assert_eq!((kind, data.split_first()), (opcode::BINARY, Some((&4, &attachment[..]))));
        }
    }
}
