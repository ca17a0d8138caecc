//! Frames in the order in which they leave, however many bytes each write takes.

use std::{cell::RefCell, collections::VecDeque, io, sync::Arc};

use crate::engine::{
    frame::Frame,
    payload,
    pressure::{Account, Charge, Kind},
    version::Protocol,
};

/// Bytes of several frames in one write. To copy small ones together costs less than a list of them in the kernel.
const GATHERED: usize = 16 * 1024;
/// Places an empty queue keeps.
const KEPT: usize = 32;

thread_local! {
    /// Where they are gathered.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(GATHERED));
}

/// The frames that wait for one client. What leaves at once is never charged: [`Self::settle`] charges what stays.
pub(super) struct Unsent {
    protocol: Protocol,
    frames: VecDeque<Arc<Frame>>,
    /// How many of the first frames are charged.
    charged: usize,
    /// Unsent bytes in the queue.
    bytes: usize,
    /// Bytes of the first frame that are sent.
    written: usize,
    account: Arc<Account>,
    /// For the room that `frames` has, once it is more than an empty queue keeps.
    slots: Option<Box<Charge>>,
}

impl Unsent {
    pub(super) fn new(protocol: Protocol, account: &Arc<Account>) -> Self {
        let frames = VecDeque::new();
        Self { protocol, frames, charged: 0, bytes: 0, written: 0, account: account.clone(), slots: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// That have not left.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a frame; an empty queue takes any. False where more than `most` bytes would wait.
    pub(super) fn push(&mut self, frame: &Arc<Frame>, most: usize) -> bool {
        let bytes = frame.wire(self.protocol).len();
        if self.bytes + bytes > most && !self.frames.is_empty() {
            return false;
        }
        self.bytes += bytes;
        self.frames.push_back(frame.clone());
        true
    }

    /// Charges what waits and is not charged yet.
    pub(super) fn settle(&mut self) {
        for frame in self.frames.range(self.charged..) {
            frame.charge(&self.account).queued();
        }
        self.charged = self.frames.len();
        let room = self.frames.capacity() * size_of::<Arc<Frame>>();
        if self.frames.capacity() > KEPT && self.slots.as_ref().is_none_or(|slots| slots.bytes() != room) {
            let account = &self.account;
            self.slots.get_or_insert_with(|| Box::new(Charge::new(account, Kind::Output, 0))).resize(room);
        }
    }

    /// Takes the first frame out.
    fn pop(&mut self) {
        let frame = self.frames.pop_front();
        if let Some(frame) = frame
            && self.charged > 0
        {
            self.charged -= 1;
            frame.unqueued();
        }
    }

    /// Forgets all frames but the first ones.
    fn truncate(&mut self, len: usize) {
        for frame in self.frames.range(len.min(self.charged)..self.charged) {
            frame.unqueued();
        }
        self.charged = self.charged.min(len);
        self.frames.truncate(len);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.truncate(0);
        self.frames = VecDeque::new();
        (self.bytes, self.written, self.slots) = (0, 0, None);
    }

    /// Forgets all packets of which nothing has left.
    pub(super) fn forget_whole_frames(&mut self) {
        self.truncate(usize::from(self.written > 0));
        if let Some(first) = self.frames.front().filter(|first| first.is_joined()).cloned() {
            // Of several packets, the one that has left in part.
            let mut parts = first.parts().iter();
            let begun = parts.find(|part| {
                let len = part.wire(self.protocol).len();
                let is_gone = self.written >= len;
                self.written -= if is_gone { len } else { 0 };
                !is_gone
            });
            let begun = begun.filter(|_| self.written > 0).cloned();
            self.truncate(0);
            self.frames.extend(begun);
            self.settle();
        }
        self.bytes = self.frames.front().map_or(0, |frame| frame.wire(self.protocol).len() - self.written);
    }

    /// Gives back what an empty queue does not need.
    pub(super) fn shrink(&mut self) {
        if self.frames.is_empty() && self.frames.capacity() > KEPT {
            (self.frames, self.slots) = (VecDeque::new(), None);
        }
    }

    /// Hands what waits to `write`, which says how many bytes it took, until nothing is left or it fails.
    pub(super) fn write(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        while let Some(first) = self.frames.front() {
            let first = &first.wire(self.protocol)[self.written..];
            let sent = match self.frames.get(1) {
                Some(next) if first.len() + next.wire(self.protocol).len() <= GATHERED => {
                    BUFFER.with_borrow_mut(|buffer| {
                        buffer.clear();
                        buffer.extend_from_slice(first);
                        for frame in self.frames.iter().skip(1) {
                            let frame = frame.wire(self.protocol);
                            if buffer.len() + frame.len() > GATHERED {
                                break;
                            }
                            buffer.extend_from_slice(frame);
                        }
                        write(buffer)
                    })?
                }
                _ => write(first)?,
            };
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.sent(sent);
        }
        Ok(())
    }

    /// This many bytes have left.
    fn sent(&mut self, bytes: usize) {
        self.bytes -= bytes;
        let mut bytes = bytes + self.written;
        while let Some(front) = self.frames.front() {
            let len = front.wire(self.protocol).len();
            if bytes < len {
                break;
            }
            bytes -= len;
            self.pop();
        }
        self.written = bytes;
    }

    /// A body for a polling request, of at most `most` bytes unless its first packet alone has more.
    pub(super) fn payload(&mut self, most: usize) -> Option<String> {
        if self.frames.is_empty() {
            return None;
        }
        let mut body = String::new();
        while let Some(frame) = self.frames.front() {
            let before = body.len();
            self.written = 0;
            payload::append(&mut body, frame, self.protocol);
            if body.len() > most && before > 0 {
                body.truncate(before);
                break;
            }
            self.bytes -= frame.wire(self.protocol).len();
            self.pop();
        }
        self.shrink();
        Some(body)
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.truncate(0);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn frame(text: usize, attachments: &[usize], byte: u8) -> Arc<Frame> {
        let attachments = attachments.iter().map(|len| Bytes::from(vec![byte; *len])).collect();
        Frame::event("/", None, &char::from(byte).to_string().repeat(text), attachments, None)
    }

    /// What happens to a queue.
    #[derive(Debug, Clone)]
    enum Step {
        Push(Vec<usize>),
        /// Writes take this many bytes each, then the kernel takes no more.
        Write(Vec<usize>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let taken = prop_oneof![3 => 1..20_usize, 3 => 200..2_000_usize, 1 => Just(usize::MAX)];
        prop_oneof![vec(any::<usize>(), 1..100).prop_map(Step::Push), vec(taken, 0..30).prop_map(Step::Write)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn bytes_leave_in_order_and_once_however_few_a_write_takes(
            frames in vec((0..300_usize, vec(0..300_usize, 0..3), any::<u8>()), 1..8),
            steps in vec(step(), 1..20),
            is_legacy in any::<bool>(),
        ) {
            let protocol = if is_legacy { Protocol::V3 } else { Protocol::V4 };
            let mut frames: Vec<_> =
                frames.iter().map(|(text, attachments, byte)| frame(*text, attachments, *byte)).collect();
            frames.push(Frame::joined(frames.clone()));
            let mut queue = Unsent::new(protocol, &Account::unbounded());
            let (mut pushed, mut left) = (Vec::new(), Vec::new());
            for step in steps.into_iter().chain([Step::Write(vec![usize::MAX; 1_000])]) {
                match step {
                    Step::Push(indices) => for index in indices {
                        let frame = &frames[index % frames.len()];
                        prop_assert!(queue.push(frame, usize::MAX));
                        pushed.extend_from_slice(frame.wire(protocol));
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
    fn an_empty_queue_takes_any_frame_and_then_only_what_fits() {
        let mut queue = Unsent::new(Protocol::V4, &Account::unbounded());
        let frame = Frame::engine("0123456789");
        assert!(queue.push(&frame, 5));
        assert!(!queue.push(&frame, 23));
        assert!(queue.push(&frame, 24));
        assert_eq!(queue.bytes(), 24);
    }

    #[test]
    fn what_has_left_in_part_is_finished_and_the_rest_forgotten() {
        let frame = Frame::engine("0123456789");
        for (taken, left) in [(0, 0), (5, 7), (12, 0), (17, 7)] {
            let mut queue = Unsent::new(Protocol::Plain, &Account::unbounded());
            for _ in 0..3 {
                assert!(queue.push(&frame, usize::MAX));
            }
            let mut room = [taken].into_iter();
            assert!(
                queue
                    .write(|_| room.next().filter(|taken| *taken > 0).ok_or(io::ErrorKind::WouldBlock.into()))
                    .is_err()
            );
            queue.forget_whole_frames();
            assert_eq!(queue.bytes(), left, "{taken}");
            assert!(queue.push(&frame, usize::MAX));
            let mut rest = Vec::new();
            let result = queue.write(|bytes| {
                rest.extend_from_slice(bytes);
                Ok(bytes.len())
            });
            assert!(result.is_ok());
            let wire = frame.wire(Protocol::Plain);
            assert_eq!(rest, [&wire[wire.len() - left..], wire].concat(), "{taken}");
        }
    }

    #[test]
    fn of_packets_that_were_joined_the_one_that_has_left_in_part_is_finished() {
        let packets = ["0123456789", "a", "0123456789"].map(Frame::engine);
        let wire = Frame::joined(packets.to_vec()).wire(Protocol::V4).to_vec();
        assert_eq!(wire, packets.iter().flat_map(|packet| packet.wire(Protocol::V4)).copied().collect::<Vec<_>>());
        for taken in 0..=wire.len() {
            let mut queue = Unsent::new(Protocol::V4, &Account::unbounded());
            assert!(queue.push(&Frame::joined(packets.to_vec()), usize::MAX));
            assert!(queue.push(&packets[0], usize::MAX));
            let mut room = [taken].into_iter().filter(|taken| *taken > 0);
            assert!(queue.write(|_| room.next().ok_or(io::ErrorKind::WouldBlock.into())).is_err());
            queue.forget_whole_frames();
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
    fn a_write_that_takes_nothing_fails() {
        let mut queue = Unsent::new(Protocol::V4, &Account::unbounded());
        queue.push(&Frame::engine("2"), usize::MAX);
        assert_eq!(queue.write(|_| Ok(0)).unwrap_err().kind(), io::ErrorKind::WriteZero);
        assert_eq!(queue.bytes(), 3);
    }
}
