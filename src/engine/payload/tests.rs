//! Valid and invalid payloads of both versions.

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
fn version_3_counts_utf16_code_units() {
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
fn the_binary_form_of_version_3_is_parsed() {
    let body = [0, 2, 255, b'4', b'x', 1, 4, 255, 4, 1, 2, 3];
    let packets = decode_v3_binary(&body).unwrap();
    assert_eq!(packets, [OwnedPacket::Text("4x".to_owned()), OwnedPacket::Binary(Bytes::from_static(&[1, 2, 3]))]);
    for broken in [&[0][..], &[0, 255], &[0, 3, 255, b'4'], &[2, 1, 255, b'4'], &[1, 1, 255, 9], &[]] {
        assert_eq!(decode_v3_binary(broken), Err(NotAPayload));
    }
}

#[test]
fn payloads_of_version_4_are_parsed() {
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

/// Generates a packet: its text and its attachments.
fn sent() -> impl Strategy<Value = (String, Vec<Bytes>)> {
    let text = vec(any::<char>().prop_filter("separates packets", |char| *char != SEPARATOR), 0..20);
    let attachments = vec(vec(any::<u8>(), 0..20).prop_map(Bytes::from), 0..4);
    (text, attachments).prop_map(|(text, attachments)| (text.into_iter().collect(), attachments))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn an_encoded_payload_is_parsed_as_the_same_packets(sent in vec(sent(), 1..6)) {
        for (protocol, end) in [(Protocol::V4, ""), (Protocol::V3, "\u{1e}")] {
            let mut body = String::new();
            let mut expected = Vec::new();
            for (text, attachments) in &sent {
                // The separator of version 4 is an ordinary character in version 3.
                let frame = Frame::event("/", None, &format!("{text}{end}"), attachments.clone(), None);
                append(&mut body, &frame, protocol);
                expected.push(OwnedPacket::Text(frame.text(protocol)));
                expected.extend(attachments.iter().cloned().map(OwnedPacket::Binary));
            }
            prop_assert_eq!(decode(&body, protocol), Ok(expected));
        }
    }

    #[test]
    fn an_encoded_binary_payload_of_version_3_is_parsed_as_the_same_packets(sent in vec(sent(), 1..6)) {
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
    fn invalid_payloads_are_refused_without_a_panic(
        pieces in vec(prop::sample::select(vec!["1", "2", "9", ":", "4", "b", "b4", "AQ==", "\u{1e}", "ä", "😀"]), 0..12),
        bytes in vec(prop::sample::select(vec![0_u8, 1, 2, 4, 9, 0xFF]), 0..12),
    ) {
        fuzzing::payload(pieces.concat().as_bytes());
        fuzzing::payload(&bytes);
    }
}

#[test]
fn lengths_count_an_emoji_as_two_code_units() {
    let mut body = String::new();
    append_text(&mut body, "4😀", Protocol::V3);
    assert_eq!(body, "3:4😀");
    assert_eq!(decode("2:4😀", Protocol::V3), Err(NotAPayload), "half a character");
}

#[test]
fn a_body_of_empty_packets_has_no_packets() {
    assert_eq!(decode("0:0:", Protocol::V3), Ok(Vec::new()));
    fuzzing::payload(b"0:0:");
}
