//! What the fuzz targets in `fuzz/` call: each takes any input and panics where a parser breaks its word.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::{
    Protocol,
    frame::Frame,
    packet::{Kind, Packet},
    payload,
    websocket::{Decoder, Message, Violation},
};

pub use crate::input::fuzzing::json;

/// Small, so that a short input can be too long.
const MAX_PAYLOAD: usize = 512;
/// Attachments a packet is written with again.
const MAX_ATTACHMENTS: usize = 64;

/// A stream of frames gives the same messages, and ends in the same way, whole and in pieces. The first byte says
/// how many of the following ones are lengths of pieces; what they leave is the last piece.
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

/// The messages of a stream, and how it ended.
fn messages(pieces: &[&[u8]]) -> (Vec<Owned>, Result<ControlFlow<()>, Violation>) {
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
                Some(Owned::Close(_)) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        if end != Ok(ControlFlow::Continue(())) {
            return (messages, end);
        }
    }
    (messages, Ok(ControlFlow::Continue(())))
}

/// What is read of a packet is read again when it is written as the server writes its own.
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
        (Kind::Event, _) => Frame::event(namespace, id, data, binary, None),
        (Kind::Ack, Some(id)) => Frame::ack(namespace, id, data, binary),
        (Kind::ConnectError, None) => Frame::connect_error(namespace, data),
        (Kind::Connect, None) if data.is_empty() => Frame::connect(namespace, None),
        (Kind::Disconnect, None) if data.is_empty() => Frame::disconnect(namespace),
        _ => return,
    };
    for protocol in [Protocol::V4, Protocol::V3] {
        let written = frame.text(protocol);
        let written = written.strip_prefix('4').expect("a message of Engine.IO");
        assert_eq!(Packet::parse(written).as_ref(), Ok(&packet), "{written}");
    }
}

/// What is read of a payload is read again when it is written.
pub fn payload(data: &[u8]) {
    if let Ok(packets) = payload::decode_v3_binary(data) {
        assert_eq!(payload::decode_v3_binary(&v3_binary(&packets)), Ok(packets));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    for protocol in [Protocol::V4, Protocol::V3] {
        let Ok(packets) = payload::decode(text, protocol) else { continue };
        if packets.is_empty() {
            // Empty packets are passed over, and there is no writing of none.
            continue;
        }
        let mut written = String::new();
        for packet in &packets {
            match packet {
                payload::Packet::Text(text) => payload::append_text(&mut written, text, protocol),
                payload::Packet::Binary(data) => payload::append_binary(&mut written, data, protocol),
            }
        }
        assert_eq!(payload::decode(&written, protocol), Ok(packets));
    }
}

/// What only clients write.
pub(super) fn v3_binary(packets: &[payload::Packet]) -> Vec<u8> {
    let mut body = Vec::new();
    for packet in packets {
        let (kind, prefix, data) = match packet {
            payload::Packet::Text(text) => (0, &[][..], text.as_bytes()),
            payload::Packet::Binary(data) => (1, &[4][..], &data[..]),
        };
        body.push(kind);
        body.extend((prefix.len() + data.len()).to_string().bytes().map(|digit| digit - b'0'));
        body.push(0xFF);
        body.extend_from_slice(prefix);
        body.extend_from_slice(data);
    }
    body
}
