//! Tests of the queue's order, its bounds, and partly written frames.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::*;

fn frame(text: usize, attachments: &[usize], byte: u8) -> Arc<Frame> {
    let attachments = attachments.iter().map(|len| Bytes::from(vec![byte; *len])).collect();
    Frame::event("/", None, &char::from(byte).to_string().repeat(text), attachments, None)
}

/// A random step of the property test.
#[derive(Debug, Clone)]
enum Step {
    Push(Vec<usize>),
    /// Each write accepts this number of bytes; then the kernel's buffer is full.
    Write(Vec<usize>),
}

fn step() -> impl Strategy<Value = Step> {
    let taken = prop_oneof![3 => 1..20_usize, 3 => 200..2_000_usize, 1 => Just(usize::MAX)];
    prop_oneof![vec(any::<usize>(), 1..100).prop_map(Step::Push), vec(taken, 0..30).prop_map(Step::Write)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn bytes_are_written_once_and_in_order_even_if_each_write_accepts_few(
        frames in vec((0..300_usize, vec(0..300_usize, 0..3), any::<u8>()), 1..8),
        steps in vec(step(), 1..20),
        is_legacy in any::<bool>(),
    ) {
        let protocol = if is_legacy { Protocol::V3 } else { Protocol::V4 };
        let mut frames: Vec<_> =
            frames.iter().map(|(text, attachments, byte)| frame(*text, attachments, *byte)).collect();
        frames.push(Frame::joined(frames.clone()));
        let mut queue = UnsentFrames::new(protocol, &Account::unbounded());
        let (mut pushed, mut left) = (Vec::new(), Vec::new());
        for step in steps.into_iter().chain([Step::Write(vec![usize::MAX; 1_000])]) {
            match step {
                Step::Push(indices) => for index in indices {
                    let frame = &frames[index % frames.len()];
                    prop_assert!(queue.push(frame, usize::MAX));
                    pushed.extend_from_slice(frame.websocket_bytes(protocol));
                },
                Step::Write(taken) => {
                    let mut taken = taken.into_iter();
                    let result = queue.write(|bytes| {
                        let len = bytes.len().min(taken.next().ok_or(io::ErrorKind::WouldBlock)?);
                        left.extend_from_slice(&bytes[..len]);
                        Ok(len)
                    });
                    prop_assert_eq!(result.is_ok(), queue.is_empty());
                }
            }
            prop_assert_eq!(queue.bytes(), pushed.len() - left.len());
            prop_assert_eq!(queue.is_empty(), pushed.len() == left.len());
            queue.shrink();
        }
        prop_assert!(queue.is_empty());
        prop_assert_eq!(left, pushed);
    }
}

#[test]
fn an_empty_queue_accepts_any_frame_and_then_only_frames_that_fit() {
    let mut queue = UnsentFrames::new(Protocol::V4, &Account::unbounded());
    let frame = Frame::engine("0123456789");
    assert!(queue.push(&frame, 5));
    assert!(!queue.push(&frame, 23));
    assert!(queue.push(&frame, 24));
    assert_eq!(queue.bytes(), 24);
}

#[test]
fn a_partly_written_frame_is_completed_and_the_others_are_removed() {
    let frame = Frame::engine("0123456789");
    for (taken, left) in [(0, 0), (5, 7), (12, 0), (17, 7)] {
        let mut queue = UnsentFrames::new(Protocol::Plain, &Account::unbounded());
        for _ in 0..3 {
            assert!(queue.push(&frame, usize::MAX));
        }
        let mut room = [taken].into_iter();
        assert!(
            queue.write(|_| room.next().filter(|taken| *taken > 0).ok_or(io::ErrorKind::WouldBlock.into())).is_err()
        );
        queue.remove_unstarted();
        assert_eq!(queue.bytes(), left, "{taken}");
        assert!(queue.push(&frame, usize::MAX));
        let mut rest = Vec::new();
        let result = queue.write(|bytes| {
            rest.extend_from_slice(bytes);
            Ok(bytes.len())
        });
        assert!(result.is_ok());
        let wire = frame.websocket_bytes(Protocol::Plain);
        assert_eq!(rest, [&wire[wire.len() - left..], wire].concat(), "{taken}");
    }
}

#[test]
fn only_the_partly_written_packet_of_a_joined_frame_is_completed() {
    let packets = ["0123456789", "a", "0123456789"].map(Frame::engine);
    let wire = Frame::joined(packets.to_vec()).websocket_bytes(Protocol::V4).to_vec();
    assert_eq!(
        wire,
        packets.iter().flat_map(|packet| packet.websocket_bytes(Protocol::V4)).copied().collect::<Vec<_>>()
    );
    for taken in 0..=wire.len() {
        let mut queue = UnsentFrames::new(Protocol::V4, &Account::unbounded());
        assert!(queue.push(&Frame::joined(packets.to_vec()), usize::MAX));
        assert!(queue.push(&packets[0], usize::MAX));
        let mut room = [taken].into_iter().filter(|taken| *taken > 0);
        assert!(queue.write(|_| room.next().ok_or(io::ErrorKind::WouldBlock.into())).is_err());
        queue.remove_unstarted();
        let ends = [0, 12, 15, 27];
        let end = ends.into_iter().find(|end| *end >= taken).unwrap();
        assert_eq!(queue.bytes(), end - taken, "{taken}");
        let mut rest = Vec::new();
        let written = queue.write(|bytes| {
            rest.extend_from_slice(bytes);
            Ok(bytes.len())
        });
        assert!(written.is_ok());
        assert_eq!(rest, wire[taken..end], "{taken}");
    }
}

#[test]
fn a_write_of_zero_bytes_is_an_error() {
    let mut queue = UnsentFrames::new(Protocol::V4, &Account::unbounded());
    queue.push(&Frame::engine("2"), usize::MAX);
    assert_eq!(queue.write(|_| Ok(0)).unwrap_err().kind(), io::ErrorKind::WriteZero);
    assert_eq!(queue.bytes(), 3);
}
