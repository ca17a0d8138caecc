//! The functions that the fuzz targets in `fuzz/` call. Each accepts any input, and panics if a parser violates one of
//! its invariants.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::{
    frame::Frame,
    packet::{Packet, PacketType},
    payload::{self, Packets},
    version::Protocol,
    websocket::{Decoder, Message, Stop, Violation},
};

pub use crate::input::fuzzing::json;

/// Maximum number of bytes of a message. It is low, so that even a short fuzz input can exceed it.
const MAX_PAYLOAD: usize = 512;
/// Packets with more attachments than this are not encoded again.
const MAX_ATTACHMENTS: usize = 64;

/// Asserts that a stream of frames is decoded to the same messages and the same end, whether it arrives whole or in
/// pieces. The first byte is the number of pieces; the next bytes are their lengths. The rest of the stream is the last
/// piece.
pub fn websocket(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else { return };
    let Some((lengths, stream)) = rest.split_at_checked(usize::from(*count)) else { return };
    let mut pieces = Vec::new();
    let mut left = stream;
    for length in lengths {
        let (piece, after) = left.split_at(usize::from(*length).min(left.len()));
        pieces.push(piece);
        left = after;
    }
    pieces.push(left);
    let whole = messages(&[stream]);
    assert_eq!(messages(&pieces), whole);
    let bytes: Vec<_> = stream.chunks(1).collect();
    assert_eq!(messages(&bytes), whole);
}

#[derive(Debug, PartialEq, Eq)]
enum Owned {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
}

/// Decodes a stream that arrives in pieces. Returns its messages and how it ended.
fn messages(pieces: &[&[u8]]) -> (Vec<Owned>, Result<ControlFlow<Stop>, Violation>) {
    let mut decoder = Decoder::new(MAX_PAYLOAD);
    let mut messages = Vec::new();
    for piece in pieces {
        let end = decoder.feed(&mut piece.to_vec(), &mut |message| {
            messages.push(match message {
                Message::Text(text) => Owned::Text(text.to_owned()),
                Message::Binary(data) => Owned::Binary(data.to_owned()),
                Message::Ping(data) => Owned::Ping(data.to_owned()),
                Message::Pong => Owned::Pong,
                Message::Close(status) => Owned::Close(status),
            });
            match messages.last() {
                Some(Owned::Close(_)) => ControlFlow::Break(Stop::End),
                _ => ControlFlow::Continue(()),
            }
        });
        if end != Ok(ControlFlow::Continue(())) {
            return (messages, end);
        }
    }
    (messages, Ok(ControlFlow::Continue(())))
}

/// Asserts a round trip: parses a packet, encodes it as the server does, and parses it to the same packet again.
pub fn packet(text: &str) {
    let Ok(packet) = Packet::parse(text) else { return };
    assert!(packet.namespace.starts_with('/') && !packet.namespace.contains(','));
    assert!(text.ends_with(packet.data));
    let &Packet { kind, namespace, id, attachments, data } = &packet;
    let is_json = data.starts_with(['[', '{', '"']);
    if attachments > MAX_ATTACHMENTS || (!is_json && !data.is_empty()) {
        return;
    }
    let binary = vec![Bytes::new(); attachments];
    let frame = match (kind, id) {
        (PacketType::Event, _) => Frame::event(namespace, id, data, binary, None),
        (PacketType::Ack, Some(id)) => Frame::ack(namespace, id, data, binary),
        (PacketType::ConnectError, None) => Frame::connect_error(namespace, data),
        (PacketType::Connect, None) if data.is_empty() => Frame::connect(namespace, None),
        (PacketType::Disconnect, None) if data.is_empty() => Frame::disconnect(namespace),
        _ => return,
    };
    for protocol in [Protocol::V4, Protocol::V3] {
        let written = frame.text(protocol);
        let written = written.strip_prefix('4').expect("a message of Engine.IO");
        assert_eq!(Packet::parse(written).as_ref(), Ok(&packet), "{written}");
    }
}

/// A packet of a payload, as an owned value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OwnedPacket {
    Text(String),
    Binary(Bytes),
}

/// All packets of a payload except empty ones, which receivers skip.
pub(super) fn packets(packets: payload::Packets<'_>) -> Result<Vec<OwnedPacket>, payload::NotAPayload> {
    let owned = packets.map(|packet| {
        packet.map(|packet| match packet {
            payload::Packet::Text(text) => OwnedPacket::Text(text.to_owned()),
            payload::Packet::Binary(data) => OwnedPacket::Binary(data),
        })
    });
    owned.filter(|packet| *packet != Ok(OwnedPacket::Text(String::new()))).collect()
}

/// Asserts a round trip: parses a payload, encodes its packets again, and parses them to the same packets.
pub fn payload(data: &[u8]) {
    if let Ok(read) = packets(Packets::of_bytes(data)) {
        assert_eq!(packets(Packets::of_bytes(&v3_binary(&read))), Ok(read));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    for protocol in [Protocol::V4, Protocol::V3] {
        let Ok(read) = packets(Packets::of_text(text, protocol)) else { continue };
        if read.is_empty() {
            // A payload without packets cannot be encoded.
            continue;
        }
        let mut written = String::new();
        for packet in &read {
            match packet {
                OwnedPacket::Text(text) => payload::append_text(&mut written, text, protocol),
                OwnedPacket::Binary(data) => payload::append_binary(&mut written, data, protocol),
            }
        }
        assert_eq!(packets(Packets::of_text(&written, protocol)), Ok(read));
    }
}

/// Encodes packets as a binary payload of Engine.IO 3. In production, the server reads such payloads, but writes none.
pub(super) fn v3_binary(packets: &[OwnedPacket]) -> Vec<u8> {
    let mut body = Vec::new();
    for packet in packets {
        let (kind, prefix, data) = match packet {
            OwnedPacket::Text(text) => (0, &[][..], text.as_bytes()),
            OwnedPacket::Binary(data) => (1, &[4][..], &data[..]),
        };
        body.push(kind);
        body.extend((prefix.len() + data.len()).to_string().bytes().map(|digit| digit - b'0'));
        body.push(0xFF);
        body.extend_from_slice(prefix);
        body.extend_from_slice(data);
    }
    body
}
