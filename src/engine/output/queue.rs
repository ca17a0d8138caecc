//! Frames in the order in which they leave, however many bytes each write takes.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    sync::Arc,
};

use crate::engine::{Protocol, frame::Frame, payload};

/// Pieces in one write.
const PIECES: usize = 64;
/// Places an empty queue keeps.
const KEPT: usize = 32;

/// The frames that wait for one client.
pub(super) struct Queue {
    protocol: Protocol,
    frames: VecDeque<Arc<Frame>>,
    /// Of all frames, those that have not left.
    bytes: usize,
    /// Of the first frame, those that have.
    written: usize,
}

impl Queue {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self { protocol, frames: VecDeque::new(), bytes: 0, written: 0 }
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

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.protocol);
    }

    /// Gives back what an empty queue does not need.
    pub(super) fn shrink(&mut self) {
        if self.frames.is_empty() && self.frames.capacity() > KEPT {
            self.frames = VecDeque::new();
        }
    }

    /// Hands what waits to `write`, which says how many bytes it took, until nothing is left or it fails.
    pub(super) fn write(&mut self, mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<()> {
        while let Some(first) = self.frames.front() {
            let first = IoSlice::new(&first.wire(self.protocol)[self.written..]);
            let sent = if self.frames.len() == 1 {
                write(&[first])?
            } else {
                let mut pieces = [IoSlice::new(&[]); PIECES];
                pieces[0] = first;
                let mut count = 1;
                for (piece, frame) in pieces[1..].iter_mut().zip(self.frames.iter().skip(1)) {
                    *piece = IoSlice::new(frame.wire(self.protocol));
                    count += 1;
                }
                write(&pieces[..count])?
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
            self.frames.pop_front();
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
            payload::append(&mut body, frame, self.protocol);
            if body.len() > most && before > 0 {
                body.truncate(before);
                break;
            }
            self.bytes -= frame.wire(self.protocol).len();
            self.frames.pop_front();
        }
        Some(body)
    }
}
