//! Parses packets of Socket.IO (protocol versions 4 and 5, <https://github.com/socketio/socket.io-protocol>), except
//! for their JSON.

use super::version::Protocol;

/// The type of a packet. The digit is its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacketType {
    /// `0`
    Connect,
    /// `1`
    Disconnect,
    /// `2`, or `5` with attachments
    Event,
    /// `3`, or `6` with attachments
    Ack,
    /// `4`
    ConnectError,
}

/// The parts of a packet's text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    /// The packet's type.
    pub(crate) kind: PacketType,
    /// The namespace's path; `/` if the text has none.
    pub(crate) namespace: &'a str,
    /// The acknowledgement id: that of an ACK, or of an EVENT that requests an acknowledgement.
    pub(crate) id: Option<u64>,
    /// The number of attachments. They follow as binary messages.
    pub(crate) attachments: usize,
    /// JSON, or empty.
    pub(crate) data: &'a str,
}

/// The error for a text that is not a valid packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAPacket;

impl<'a> Packet<'a> {
    /// The namespace's path, and the query that clients of Engine.IO 3 append to it.
    pub(super) fn path(&self, protocol: Protocol) -> (&'a str, Option<&'a str>) {
        match (protocol, self.namespace.split_once('?')) {
            (Protocol::V3, Some((path, query))) => (path, Some(query)),
            _ => (self.namespace, None),
        }
    }

    /// Parses a message of Engine.IO. The JSON is not validated.
    pub(crate) fn parse(text: &'a str) -> Result<Self, NotAPacket> {
        let (kind, has_attachments) = match text.as_bytes().first() {
            Some(b'0') => (PacketType::Connect, false),
            Some(b'1') => (PacketType::Disconnect, false),
            Some(b'2') => (PacketType::Event, false),
            Some(b'3') => (PacketType::Ack, false),
            Some(b'4') => (PacketType::ConnectError, false),
            Some(b'5') => (PacketType::Event, true),
            Some(b'6') => (PacketType::Ack, true),
            _ => return Err(NotAPacket),
        };
        let mut rest = &text[1..];
        let mut attachments = 0;
        if has_attachments {
            let (number, after) = rest.split_once('-').ok_or(NotAPacket)?;
            attachments = digits(number).filter(|number| *number > 0).ok_or(NotAPacket)? as usize;
            rest = after;
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        // As in Node, white space is part of the id, and white space alone is the id 0. It must not become part of the
        // JSON: in a relayed event, other clients would parse it as an id.
        let is_in_id = |byte: u8| matches!(byte, b'0'..=b'9' | b' ' | b'\t' | b'\n' | b'\r');
        let end = rest.bytes().position(|byte| !is_in_id(byte)).unwrap_or(rest.len());
        let (id, data) = rest.split_at(end);
        let id = match id.trim_ascii() {
            _ if id.is_empty() => None,
            "" => Some(0),
            id => Some(digits(id).ok_or(NotAPacket)?),
        };
        if has_attachments && data.is_empty() {
            return Err(NotAPacket);
        }
        Ok(Self { kind, namespace, id, attachments, data })
    }
}

fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_parsed() {
        let packet = Packet::parse("52-/chat,7[\"a\",{}]").unwrap();
        assert_eq!(
            packet,
            Packet { kind: PacketType::Event, namespace: "/chat", id: Some(7), attachments: 2, data: "[\"a\",{}]" }
        );
        let packet = Packet::parse("0/chat").unwrap();
        assert_eq!(
            packet,
            Packet { kind: PacketType::Connect, namespace: "/chat", id: None, attachments: 0, data: "" }
        );
        for (text, id) in
            [("2 [\"a\"]", 0), ("2\t\n[\"a\"]", 0), ("27 [\"a\"]", 7), ("2\r 7[\"a\"]", 7), ("2/a, [\"a\"]", 0)]
        {
            let packet = Packet::parse(text).unwrap();
            assert_eq!((packet.id, packet.data), (Some(id), "[\"a\"]"), "{text:?}");
        }
        let packet = Packet::parse("2").unwrap();
        assert_eq!(packet, Packet { kind: PacketType::Event, namespace: "/", id: None, attachments: 0, data: "" });
    }

    #[test]
    fn invalid_packets_are_refused() {
        for text in [
            "",
            "7",
            "x",
            "5[\"a\"]",
            "50-[\"a\"]",
            "5-[\"a\"]",
            "5x-[]",
            "51-",
            "51-  ",
            "27 8[]",
            "299999999999999999999[]",
        ] {
            assert_eq!(Packet::parse(text), Err(NotAPacket), "{text}");
        }
    }
}
