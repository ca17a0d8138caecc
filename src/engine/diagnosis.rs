//! Texts for the log about clients that violated the protocol. The cause is determined only after a packet was refused,
//! so that valid packets cost nothing. The client's packet is never quoted: it may contain a token.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota};

use super::{
    packet::{Packet, PacketType},
    settings::Settings,
    version::Protocol,
    websocket::Violation,
};
use crate::limits;

/// Maximum number of log lines per second about clients that violated the protocol.
const LINES: NonZeroU32 = NonZeroU32::new(10).expect("not 0");

/// The possible bytes after the first byte of a packet of `socket.io-msgpack-parser`. Such a packet is a MessagePack
/// map: its first byte is the header of the map, and the name of the first field follows as a MessagePack string.
const MSGPACK_FIELDS: [&[u8]; 4] = [b"\xA4type", b"\xA4data", b"\xA3nsp", b"\xA2id"];

/// The rate limiter of these log lines, so that a client that reconnects in a loop cannot fill the log.
pub(super) fn lines() -> DefaultDirectRateLimiter {
    limits::bucket(Quota::per_second(LINES))
}

/// What is wrong with a text message. `is_partial` is true if attachments of the previous packet are missing. `find`
/// returns whether the socket of a namespace is connected, or `None` if there is no socket.
pub(super) fn of_text(
    text: &str,
    is_partial: bool,
    protocol: Protocol,
    settings: &Settings,
    find: impl FnOnce(&str) -> Option<bool>,
) -> &'static str {
    let Ok(packet) = Packet::parse(text) else { return "a text that is no packet of Socket.IO" };
    if is_partial {
        return "a text while attachments of the previous packet are missing";
    }
    if packet.attachments > settings.attachments.get() {
        return "a packet with more attachments than limits.attachments allows";
    }
    let (path, _) = packet.path(protocol);
    let Some(is_connected) = find(path) else {
        return match packet.kind {
            PacketType::Connect => "CONNECT with an auth that is no JSON object",
            _ => "a packet for a namespace that the client has not joined",
        };
    };
    match packet.kind {
        PacketType::Connect => "CONNECT for a namespace that the client asked for already",
        PacketType::Event if !is_connected => "an event before CONNECT was answered",
        PacketType::Event => "an event that is no JSON array with a name as its first element, or has a reserved name",
        PacketType::Ack => "an acknowledgement that is no JSON array",
        PacketType::Disconnect => "DISCONNECT with data",
        PacketType::ConnectError => "CONNECT_ERROR, which only a server may send",
    }
}

/// What is wrong with a binary message that no packet announced.
pub(super) fn of_binary(data: &[u8]) -> &'static str {
    match data {
        [0x80..=0x8F, fields @ ..] if MSGPACK_FIELDS.iter().any(|field| fields.starts_with(field)) => {
            "a packet of socket.io-msgpack-parser, which is not supported: the client's `parser` option must be left out"
        }
        _ => "a binary message that is no attachment",
    }
}

impl Violation {
    /// The text for the log.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Protocol => "a frame that violates RFC 6455",
            Self::Utf8 => "a text that is not UTF-8",
            Self::TooLarge => "a message of too many bytes (limits.payload-bytes)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packet_of_a_msgpack_client_is_recognised() {
        // CONNECT as notepack.io writes it: { type: 0, data: undefined, nsp: "/" }.
        for packet in [&b"\x83\xA4type\x00\xA4data\xD4\0\0\xA3nsp\xA1/"[..], b"\x82\xA3nsp\xA1/\xA4type\x00"] {
            assert!(of_binary(packet).contains("msgpack"));
        }
        for other in [&b""[..], b"\x83", b"\x83\xA4typ", b"{\"type\":0}", b"\x04\x00\x1E\xFF"] {
            assert_eq!(of_binary(other), "a binary message that is no attachment");
        }
    }
}
