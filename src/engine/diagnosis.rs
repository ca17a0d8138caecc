//! The sentence for the log that says why a connection is closed for what its client sent. It is found after the fact,
//! so that valid packets cost nothing. It never quotes the client: there may be a token in what it sent.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota};

use super::{
    packet::{Kind, Packet},
    settings::Settings,
    version::Protocol,
    websocket::Violation,
};
use crate::limits;

/// Log lines per second about connections that are closed for what they sent.
const LINES: NonZeroU32 = NonZeroU32::new(10).expect("not 0");

/// The second part of a packet of `socket.io-msgpack-parser`, after the type of its map: the name of a field, as a
/// short string of MessagePack.
const MSGPACK_FIELDS: [&[u8]; 4] = [b"\xA4type", b"\xA4data", b"\xA3nsp", b"\xA2id"];

/// Limits these log lines, so that a client that reconnects in a loop cannot fill the log.
pub(super) fn lines() -> DefaultDirectRateLimiter {
    limits::bucket(Quota::per_second(LINES))
}

/// What is wrong with a text message. `is_partial`: attachments of the packet before are missing. `find`: whether there
/// is a socket in a namespace, and whether it is connected.
pub(super) fn of_text(
    text: &str,
    is_partial: bool,
    protocol: Protocol,
    settings: &Settings,
    find: impl FnOnce(&str) -> Option<bool>,
) -> &'static str {
    let Ok(packet) = Packet::parse(text) else { return "a text that is no packet of Socket.IO" };
    if is_partial {
        return "a text where an attachment of the packet before is missing";
    }
    if packet.attachments > settings.attachments.get() {
        return "a packet with more attachments than limits.attachments allows";
    }
    let (path, _) = packet.path(protocol);
    let Some(is_connected) = find(path) else {
        return match packet.kind {
            Kind::Connect => "CONNECT with an auth that is no JSON object",
            _ => "a packet for a namespace that it is not in",
        };
    };
    match packet.kind {
        Kind::Connect => "CONNECT for a namespace that it has asked for already",
        Kind::Event if !is_connected => "an event before CONNECT was answered",
        Kind::Event => "an event that is no JSON array with a name in front, or has a name of Socket.IO's own",
        Kind::Ack => "an acknowledgement that is no JSON array",
        Kind::Disconnect => "DISCONNECT with data",
        Kind::ConnectError => "CONNECT_ERROR, which is the server's to send",
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
    /// The sentence for the log.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Protocol => "frames against the rules of WebSocket",
            Self::Utf8 => "a text that is no UTF-8",
            Self::TooLarge => "a message of too many bytes (limits.payload-bytes)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packet_of_a_msgpack_client_is_known() {
        // CONNECT as notepack.io writes it: { type: 0, data: undefined, nsp: "/" }.
        for packet in [&b"\x83\xA4type\x00\xA4data\xD4\0\0\xA3nsp\xA1/"[..], b"\x82\xA3nsp\xA1/\xA4type\x00"] {
            assert!(of_binary(packet).contains("msgpack"));
        }
        for other in [&b""[..], b"\x83", b"\x83\xA4typ", b"{\"type\":0}", b"\x04\x00\x1E\xFF"] {
            assert_eq!(of_binary(other), "a binary message that is no attachment");
        }
    }
}
