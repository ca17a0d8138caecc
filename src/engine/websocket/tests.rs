//! Tests of the decoder with streams of frames that clients may send, cut at arbitrary places.

use std::ops::ControlFlow;

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{decoder::CONTROL_MAX, *};

const MAX_PAYLOAD: usize = 70_000;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Owned {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
}

impl From<Message<'_>> for Owned {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.to_owned()),
            Message::Binary(data) => Self::Binary(data.to_owned()),
            Message::Ping(data) => Self::Ping(data.to_owned()),
            Message::Pong => Self::Pong,
            Message::Close(status) => Self::Close(status),
        }
    }
}

/// A message in fragments, with a control frame before some of them.
#[derive(Debug, Clone)]
struct Sent {
    message: Owned,
    cuts: Vec<Index>,
    controls: Vec<Option<Owned>>,
    masks: Vec<[u8; 4]>,
}

fn frame(opcode: u8, is_final: bool, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![u8::from(is_final) << 7 | opcode];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The pieces of `bytes` between these cuts.
fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(bytes.len());
    let mut start = 0;
    let piece = |end| {
        let piece = &bytes[start..end];
        start = end;
        piece
    };
    ends.into_iter().map(piece).collect()
}

impl Sent {
    fn write(&self, stream: &mut Vec<u8>, messages: &mut Vec<Owned>) {
        let (kind, data) = match &self.message {
            Owned::Text(text) => (opcode::TEXT, text.as_bytes()),
            Owned::Binary(data) => (opcode::BINARY, data.as_slice()),
            other => unreachable!("{other:?} is no message"),
        };
        let fragments = pieces(data, &self.cuts);
        for (index, fragment) in fragments.iter().enumerate() {
            let mask = self.masks[index];
            match &self.controls[index] {
                Some(Owned::Ping(data)) => stream.extend(frame(opcode::PING, true, mask, data)),
                Some(_) => stream.extend(frame(opcode::PONG, true, mask, b"pong")),
                None => {}
            }
            messages.extend(self.controls[index].clone());
            let opcode = if index == 0 { kind } else { opcode::CONTINUATION };
            stream.extend(frame(opcode, index + 1 == fragments.len(), mask, fragment));
        }
        messages.push(self.message.clone());
    }
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![12 => 0..40_usize, 4 => 120..132_usize, 1 => 65_530..65_540_usize]
}

fn text() -> impl Strategy<Value = String> {
    let pattern = vec(any::<char>(), 1..8);
    (pattern, size()).prop_map(|(pattern, size)| {
        let mut text: String = pattern.iter().cycle().take(size).collect();
        text.truncate(text.floor_char_boundary(size));
        text
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    (vec(any::<u8>(), 1..8), size()).prop_map(|(pattern, size)| pattern.iter().copied().cycle().take(size).collect())
}

fn mask() -> impl Strategy<Value = [u8; 4]> {
    prop_oneof![Just([0; 4]), Just([0xFF; 4]), any::<[u8; 4]>()]
}

fn sent() -> impl Strategy<Value = Sent> {
    let message = prop_oneof![text().prop_map(Owned::Text), bytes().prop_map(Owned::Binary)];
    let control = prop_oneof![
        3 => Just(None),
        1 => vec(any::<u8>(), 0..=CONTROL_MAX).prop_map(|data| Some(Owned::Ping(data))),
        1 => Just(Some(Owned::Pong)),
    ];
    let cuts = prop_oneof![vec(any::<Index>(), 0), vec(any::<Index>(), 0..4)];
    (message, cuts, vec(control, 4), vec(mask(), 4)).prop_map(|(message, cuts, controls, masks)| Sent {
        message,
        cuts,
        controls,
        masks,
    })
}

/// Decodes a stream that arrives in these pieces. Returns its messages and how it ended.
fn decode(pieces: &[&[u8]]) -> (Vec<Owned>, Result<ControlFlow<Stop>, Violation>) {
    let mut decoder = Decoder::new(MAX_PAYLOAD);
    let mut messages = Vec::new();
    for piece in pieces {
        let end = decoder.feed(&mut piece.to_vec(), &mut |message| {
            let is_last = matches!(message, Message::Close(_));
            messages.push(message.into());
            if is_last { ControlFlow::Break(Stop::End) } else { ControlFlow::Continue(()) }
        });
        if end != Ok(ControlFlow::Continue(())) {
            return (messages, end);
        }
    }
    (messages, Ok(ControlFlow::Continue(())))
}

/// Like [`decode`], with a pause after each message.
fn decode_with_pauses(pieces: &[&[u8]]) -> (Vec<Owned>, Result<ControlFlow<Stop>, Violation>) {
    let mut decoder = Decoder::new(MAX_PAYLOAD);
    let mut messages = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        loop {
            let end = decoder.feed(&mut piece, &mut |message| {
                let stop = if matches!(message, Message::Close(_)) { Stop::End } else { Stop::Pause };
                messages.push(message.into());
                ControlFlow::Break(stop)
            });
            match end {
                Ok(ControlFlow::Continue(())) => break,
                Ok(ControlFlow::Break(Stop::Pause)) => piece.clear(),
                end => return (messages, end),
            }
        }
    }
    (messages, Ok(ControlFlow::Continue(())))
}

/// The last bytes of a stream, their messages, and how the stream ends.
fn last() -> impl Strategy<Value = (Vec<u8>, Vec<Owned>, Result<ControlFlow<Stop>, Violation>)> {
    let broken = |bytes: Vec<u8>, violation| (bytes, vec![], Err(violation));
    let closed = |bytes, status| (bytes, vec![Owned::Close(status)], Ok(ControlFlow::Break(Stop::End)));
    let too_long = (MAX_PAYLOAD as u64 + 1).to_be_bytes();
    let mask = [1, 2, 3, 4];
    let close = |payload: &[u8]| frame(opcode::CLOSE, true, mask, payload);
    prop::sample::select(vec![
        (vec![], vec![], Ok(ControlFlow::Continue(()))),
        // An incomplete header.
        (vec![0x82, 0xFF, 0, 0], vec![], Ok(ControlFlow::Continue(()))),
        closed(close(&[]), None),
        closed([close(b"\x03\xE8bye"), frame(opcode::TEXT, true, mask, b"late")].concat(), Some(1000)),
        broken(close(&[3]), Violation::Protocol),
        broken(close(&1005_u16.to_be_bytes()), Violation::Protocol),
        broken(close(b"\x03\xE8\xFF"), Violation::Utf8),
        broken(vec![0x81, 1, b'x'], Violation::Protocol),
        broken(frame(opcode::TEXT | 0x40, true, mask, b"compressed"), Violation::Protocol),
        broken(frame(0x3, true, mask, b"unknown"), Violation::Protocol),
        broken(frame(opcode::CONTINUATION, true, mask, b"of nothing"), Violation::Protocol),
        broken(frame(opcode::PING, false, mask, b"in pieces"), Violation::Protocol),
        broken(frame(opcode::PING, true, mask, &[0; CONTROL_MAX + 1]), Violation::Protocol),
        broken(frame(opcode::TEXT, false, mask, b"a").repeat(2), Violation::Protocol),
        broken(frame(opcode::TEXT, true, mask, b"\xC3\x28"), Violation::Utf8),
        broken([vec![0x82, 0xFF], too_long.to_vec()].concat(), Violation::TooLarge),
        broken([vec![0x82, 0xFF], u64::MAX.to_be_bytes().to_vec()].concat(), Violation::TooLarge),
        broken(
            [frame(opcode::BINARY, false, mask, &vec![0; MAX_PAYLOAD]), frame(opcode::CONTINUATION, true, mask, b"x")]
                .concat(),
            Violation::TooLarge,
        ),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_messages_do_not_depend_on_the_cuts_of_the_stream(
        sent in vec(sent(), 0..5),
        (end_bytes, end_messages, end) in last(),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let (mut stream, mut messages) = (Vec::new(), Vec::new());
        for sent in &sent {
            sent.write(&mut stream, &mut messages);
        }
        stream.extend(end_bytes);
        messages.extend(end_messages);
        let expected = (messages, end);
        prop_assert_eq!(decode(&[&stream]), expected.clone());
        prop_assert_eq!(decode(&pieces(&stream, &cuts)), expected.clone());
        prop_assert_eq!(decode_with_pauses(&[&stream]), expected.clone());
        prop_assert_eq!(decode_with_pauses(&pieces(&stream, &cuts)), expected.clone());
        if stream.len() < 4096 {
            prop_assert_eq!(decode(&stream.chunks(1).collect::<Vec<_>>()), expected);
        }
    }
}

#[test]
fn a_message_may_be_as_long_as_allowed_in_one_frame_or_many() {
    let data = vec![7; MAX_PAYLOAD];
    let (first, second) = data.split_at(40_000);
    let whole = frame(opcode::BINARY, true, [9; 4], &data);
    let halves = [
        frame(opcode::BINARY, false, [1; 4], first),
        frame(opcode::CONTINUATION, true, [2; 4], second),
        frame(opcode::TEXT, true, [3; 4], b"after"),
    ]
    .concat();
    let (messages, end) = decode(&[&whole, &halves]);
    assert_eq!(end, Ok(ControlFlow::Continue(())));
    assert_eq!(messages, [Owned::Binary(data.clone()), Owned::Binary(data), Owned::Text("after".to_owned())]);
}
