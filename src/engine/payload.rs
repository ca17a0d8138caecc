//! Payloads of long polling: several packets in one body
//! (<https://github.com/socketio/engine.io-protocol>, versions 4 and 3).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{Protocol, frame::Frame};

/// Separates packets in version 4.
const SEPARATOR: char = '\u{1e}';

/// A packet of Engine.IO as it came in a request's body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// Its type and its data.
    Text(&'a str),
    /// A binary message.
    Binary(Bytes),
}

/// No payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAPayload;

/// Appends a packet with its attachments.
pub(super) fn append(payload: &mut String, frame: &Frame, protocol: Protocol) {
    let text = frame.text(protocol);
    if text.is_empty() {
        return;
    }
    append_text(payload, &text, protocol);
    for attachment in frame.attachments() {
        append_binary(payload, attachment, protocol);
    }
}

/// Appends a binary message.
pub(super) fn append_binary(payload: &mut String, data: &[u8], protocol: Protocol) {
    let mut text = match protocol {
        Protocol::V4 | Protocol::Plain => "b".to_owned(),
        Protocol::V3 => "b4".to_owned(),
    };
    STANDARD.encode_string(data, &mut text);
    append_text(payload, &text, protocol);
}

/// Appends a packet's type and data.
pub(super) fn append_text(payload: &mut String, text: &str, protocol: Protocol) {
    match protocol {
        Protocol::V4 | Protocol::Plain => {
            if !payload.is_empty() {
                payload.push(SEPARATOR);
            }
        }
        Protocol::V3 => {
            // Lengths are those of JavaScript's strings: UTF-16 code units.
            payload.push_str(&text.encode_utf16().count().to_string());
            payload.push(':');
        }
    }
    payload.push_str(text);
}

/// The packets of a body, one after the other: a small body may hold many. The first that is none is the last.
pub(crate) struct Packets<'a> {
    rest: Rest<'a>,
    protocol: Protocol,
}

enum Rest<'a> {
    Text(&'a str),
    /// Version 3's binary payload.
    Bytes(&'a [u8]),
    Nothing,
}

impl<'a> Packets<'a> {
    /// The packets in a body of text.
    pub(crate) fn of_text(body: &'a str, protocol: Protocol) -> Self {
        Self { rest: Rest::Text(body), protocol }
    }

    /// The packets in version 3's binary payload.
    pub(crate) fn of_bytes(body: &'a [u8]) -> Self {
        Self { rest: Rest::Bytes(body), protocol: Protocol::V3 }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, NotAPayload>;

    fn next(&mut self) -> Option<Self::Item> {
        let (packet, rest) = match (std::mem::replace(&mut self.rest, Rest::Nothing), self.protocol) {
            (Rest::Nothing, _) => return None,
            (Rest::Text(body), Protocol::V4 | Protocol::Plain) => match body.split_once(SEPARATOR) {
                Some((packet, rest)) => (one(packet), Rest::Text(rest)),
                None => (one(body), Rest::Nothing),
            },
            (Rest::Text(body), Protocol::V3) => match of_v3(body) {
                Ok((packet, "")) => (packet, Rest::Nothing),
                Ok((packet, rest)) => (packet, Rest::Text(rest)),
                Err(error) => (Err(error), Rest::Nothing),
            },
            (Rest::Bytes(body), _) => match of_v3_binary(body) {
                Ok((packet, [])) => (Ok(packet), Rest::Nothing),
                Ok((packet, rest)) => (Ok(packet), Rest::Bytes(rest)),
                Err(error) => (Err(error), Rest::Nothing),
            },
        };
        if packet.is_ok() {
            self.rest = rest;
        }
        Some(packet)
    }
}

fn one(text: &str) -> Result<Packet<'_>, NotAPayload> {
    match text.as_bytes() {
        [] => Err(NotAPayload),
        [b'b', ..] => binary(text, Protocol::V4).map(Packet::Binary),
        _ => Ok(Packet::Text(text)),
    }
}

/// A binary message as base64, behind `b`, and in version 3 its type.
pub(super) fn binary(text: &str, protocol: Protocol) -> Result<Bytes, NotAPayload> {
    let prefix = match protocol {
        Protocol::V4 | Protocol::Plain => "b",
        Protocol::V3 => "b4",
    };
    let base64 = text.strip_prefix(prefix).ok_or(NotAPayload)?;
    STANDARD.decode(base64).map(Bytes::from).map_err(|_| NotAPayload)
}

/// `<length>:<packet>`, of which the length counts as JavaScript does; and what comes after it.
fn of_v3(body: &str) -> Result<(Result<Packet<'_>, NotAPayload>, &str), NotAPayload> {
    let (length, rest) = body.split_once(':').ok_or(NotAPayload)?;
    let mut length: usize = length.parse().map_err(|_| NotAPayload)?;
    let mut end = 0;
    for char in rest.chars() {
        if length == 0 {
            break;
        }
        length = length.checked_sub(char.len_utf16()).ok_or(NotAPayload)?;
        end += char.len_utf8();
    }
    if length > 0 {
        return Err(NotAPayload);
    }
    let (text, after) = rest.split_at(end);
    let packet = match text.as_bytes() {
        [b'b', ..] => binary(text, Protocol::V3).map(Packet::Binary),
        // An empty one too: Node passes it over.
        _ => Ok(Packet::Text(text)),
    };
    Ok((packet, after))
}

/// Version 3's binary form, `<0 text | 1 binary> <length, a digit a byte> 0xFF <packet>`; and what comes after it.
fn of_v3_binary(body: &[u8]) -> Result<(Packet<'_>, &[u8]), NotAPayload> {
    let [kind, rest @ ..] = body else { return Err(NotAPayload) };
    let end = rest.iter().position(|byte| *byte == 0xFF).ok_or(NotAPayload)?;
    if end == 0 || end > 15 || rest[..end].iter().any(|digit| *digit > 9) {
        return Err(NotAPayload);
    }
    let length = rest[..end].iter().fold(0_usize, |length, digit| length * 10 + usize::from(*digit));
    let rest = &rest[end + 1..];
    let (packet, after) = rest.split_at_checked(length).ok_or(NotAPayload)?;
    let packet = match (kind, packet) {
        (0, packet) if !packet.is_empty() => Packet::Text(std::str::from_utf8(packet).map_err(|_| NotAPayload)?),
        (1, [4, data @ ..]) => Packet::Binary(Bytes::copy_from_slice(data)),
        _ => return Err(NotAPayload),
    };
    Ok((packet, after))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::engine::fuzzing::{self, OwnedPacket};

    fn decode(body: &str, protocol: Protocol) -> Result<Vec<OwnedPacket>, NotAPayload> {
        fuzzing::packets(Packets::of_text(body, protocol))
    }

    fn decode_v3_binary(body: &[u8]) -> Result<Vec<OwnedPacket>, NotAPayload> {
        fuzzing::packets(Packets::of_bytes(body))
    }

    #[test]
    fn version_3_counts_as_javascript_does() {
        let packets = decode("6:4äö😀8:b4AQID/w", Protocol::V3);
        assert_eq!(packets, Err(NotAPayload), "the base64 is broken");
        let packets = decode("5:4äö😀10:b4AQID/w==2:4x", Protocol::V3).unwrap();
        assert_eq!(
            packets,
            [
                OwnedPacket::Text("4äö😀".to_owned()),
                OwnedPacket::Binary(Bytes::from_static(&[1, 2, 3, 255])),
                OwnedPacket::Text("4x".to_owned())
            ]
        );
        let mut payload = String::new();
        append(&mut payload, &Frame::engine("4äö😀"), Protocol::V3);
        assert_eq!(payload, "5:4äö😀");
    }

    #[test]
    fn version_3_binary() {
        let body = [0, 2, 255, b'4', b'x', 1, 4, 255, 4, 1, 2, 3];
        let packets = decode_v3_binary(&body).unwrap();
        assert_eq!(packets, [OwnedPacket::Text("4x".to_owned()), OwnedPacket::Binary(Bytes::from_static(&[1, 2, 3]))]);
        for broken in [&[0][..], &[0, 255], &[0, 3, 255, b'4'], &[2, 1, 255, b'4'], &[1, 1, 255, 9], &[]] {
            assert_eq!(decode_v3_binary(broken), Err(NotAPayload));
        }
    }

    #[test]
    fn version_4() {
        let packets = decode("4x\u{1e}bAQID\u{1e}3", Protocol::V4).unwrap();
        assert_eq!(
            packets,
            [
                OwnedPacket::Text("4x".to_owned()),
                OwnedPacket::Binary(Bytes::from_static(&[1, 2, 3])),
                OwnedPacket::Text("3".to_owned())
            ]
        );
        assert_eq!(decode("4x\u{1e}", Protocol::V4), Err(NotAPayload));
    }

    /// A packet with its attachments, and what a client makes of it.
    fn sent() -> impl Strategy<Value = (String, Vec<Bytes>)> {
        let text = vec(any::<char>().prop_filter("separates packets", |char| *char != SEPARATOR), 0..20);
        let attachments = vec(vec(any::<u8>(), 0..20).prop_map(Bytes::from), 0..4);
        (text, attachments).prop_map(|(text, attachments)| (text.into_iter().collect(), attachments))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn what_is_written_is_read(sent in vec(sent(), 1..6)) {
            for (protocol, end) in [(Protocol::V4, ""), (Protocol::V3, "\u{1e}")] {
                let mut body = String::new();
                let mut expected = Vec::new();
                for (text, attachments) in &sent {
                    // What separates packets in version 4 is a character like others in version 3.
                    let frame = Frame::event("/", None, &format!("{text}{end}"), attachments.clone(), None);
                    append(&mut body, &frame, protocol);
                    expected.push(OwnedPacket::Text(frame.text(protocol)));
                    expected.extend(attachments.iter().cloned().map(OwnedPacket::Binary));
                }
                prop_assert_eq!(decode(&body, protocol), Ok(expected));
            }
        }

        #[test]
        fn version_3_binary_is_read_as_written(sent in vec(sent(), 1..6)) {
            let mut packets = Vec::new();
            for (text, attachments) in sent {
                packets.push(OwnedPacket::Text(format!("4{text}")));
                packets.extend(attachments.into_iter().map(OwnedPacket::Binary));
            }
            let body = fuzzing::v3_binary(&packets);
            let read = decode_v3_binary(&body);
            prop_assert_eq!(read.as_ref(), Ok(&packets));
            prop_assert_eq!(decode_v3_binary(&body[..body.len() - 1]), Err(NotAPayload));
        }

        #[test]
        fn what_is_no_payload_is_refused_without_a_panic(
            pieces in vec(prop::sample::select(vec!["1", "2", "9", ":", "4", "b", "b4", "AQ==", "\u{1e}", "ä", "😀"]), 0..12),
            bytes in vec(prop::sample::select(vec![0_u8, 1, 2, 4, 9, 0xFF]), 0..12),
        ) {
            fuzzing::payload(pieces.concat().as_bytes());
            fuzzing::payload(&bytes);
        }
    }

    #[test]
    fn lengths_count_characters_beyond_the_first_plane_twice() {
        let mut body = String::new();
        append_text(&mut body, "4😀", Protocol::V3);
        assert_eq!(body, "3:4😀");
        assert_eq!(decode("2:4😀", Protocol::V3), Err(NotAPayload), "half a character");
    }

    #[test]
    fn a_body_of_empty_packets_has_none() {
        assert_eq!(decode("0:0:", Protocol::V3), Ok(Vec::new()));
        fuzzing::payload(b"0:0:");
    }
}
