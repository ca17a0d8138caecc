//! Tests of the bytes of frames for each protocol.

use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::engine::{offset::Offsets, packet::Packet};

#[test]
fn an_event_is_encoded_once_for_each_protocol() {
    let offsets = Offsets::new();
    let frame = Frame::event("/", None, r#"["a",1]"#, vec![Bytes::from_static(b"xyz")], Some(&offsets));
    let text = format!(r#"451-["a",1,"{}.1"]"#, offsets.tag());
    let mut expected = vec![0x81, text.len() as u8];
    expected.extend_from_slice(text.as_bytes());
    expected.extend_from_slice(b"\x82\x03xyz");
    assert_eq!(frame.websocket_bytes(Protocol::V4), expected);
    assert_eq!(frame.websocket_bytes(Protocol::V3), b"\x81\x0b451-[\"a\",1]\x82\x04\x04xyz".as_slice());
    assert_eq!(frame.text(Protocol::V4), text);
    assert_eq!(frame.text(Protocol::V3), r#"451-["a",1]"#);
    let without = frame.without_offset();
    assert_eq!(without.websocket_bytes(Protocol::V4), b"\x81\x0b451-[\"a\",1]\x82\x03xyz".as_slice());
    assert_eq!((without.text(Protocol::V4).as_str(), without.attachments()), (r#"451-["a",1]"#, frame.attachments()));
    assert!(Arc::ptr_eq(without, frame.without_offset()), "encoded once");
    assert!(Arc::ptr_eq(without, without.without_offset()), "a form without an offset is itself");
}

#[test]
fn a_joined_frame_without_offsets_joins_its_packets_without_offsets() {
    let offsets = Offsets::new();
    let event = |json| Frame::event("/", None, json, vec![Bytes::from_static(b"xyz")], Some(&offsets));
    let parts = vec![event(r#"["a"]"#), event(r#"["b",2]"#)];
    let wires: Vec<_> = parts.iter().map(|part| part.without_offset().websocket_bytes(Protocol::V4)).collect();
    let joined = Frame::joined(parts.clone());
    assert_eq!(joined.without_offset().websocket_bytes(Protocol::V4), wires.concat());
    let texts: Vec<_> = joined.without_offset().parts().iter().map(|part| part.text(Protocol::V4)).collect();
    assert_eq!(texts, [r#"451-["a"]"#, r#"451-["b",2]"#]);
}

#[test]
fn the_header_depends_on_the_length_of_the_text() {
    for len in [0_usize, 125, 126, 65_535, 65_536] {
        let frame = Frame::engine(&"x".repeat(len));
        let header = match len {
            0..126 => 2,
            126..65_536 => 4,
            _ => 10,
        };
        assert_eq!(frame.websocket_bytes(Protocol::V4).len(), header + len);
    }
}

/// Reads frames as a client does, and asserts that a server may send them (RFC 6455, section 5.2): not fragmented, not
/// masked, and with the shortest encoding of the length.
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
    assert!(wire.is_empty(), "an incomplete frame");
    frames
}

/// Sizes around the lengths at which the header becomes longer.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..20_usize, 4 => 80..130_usize, 1 => 65_480..65_540_usize]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn clients_of_both_versions_parse_the_packet_that_was_encoded(
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
        let without = frame.without_offset().clone();
        let forms = [
            (&frame, Protocol::V4, &[][..], &numbered),
            (&without, Protocol::V4, &[], &json),
            (&frame, Protocol::V3, &[4], &json),
        ];
        for (frame, protocol, prefix, json) in forms {
            let frames = read(frame.websocket_bytes(protocol));
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
    fn engine_io_packets_of_any_length_are_parsed_as_sent(len in size()) {
        let text = "x".repeat(len);
        let frame = Frame::engine(&text);
        for protocol in [Protocol::V4, Protocol::V3] {
            prop_assert_eq!(read(frame.websocket_bytes(protocol)), [(opcode::TEXT, text.as_bytes())]);
        }
    }
}

#[test]
fn headers_grow_at_the_lengths_of_the_rfc() {
    for len in [124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537] {
        // Engine.IO 3 puts a type byte before the attachment.
        let attachment = Bytes::from(vec![1; len]);
        let frame = Frame::event("/", None, "[]", vec![attachment.clone()], None);
        assert_eq!(read(frame.websocket_bytes(Protocol::V4))[1], (opcode::BINARY, &attachment[..]));
        let (kind, data) = read(frame.websocket_bytes(Protocol::V3))[1];
        assert_eq!((kind, data.split_first()), (opcode::BINARY, Some((&4, &attachment[..]))));
    }
}
