//! The queue of one connection: frames that were not written yet, or only in part.

use std::{cell::RefCell, collections::VecDeque, io, sync::Arc};

use crate::engine::{
    frame::Frame,
    memory::{Account, Charge, Kind},
    payload,
    version::Protocol,
};

/// Maximal bytes of several frames in one write. Copying small frames together is cheaper than passing the kernel a
/// list.
const GATHERED: usize = 16 * 1024;
/// How many places an empty queue keeps.
const KEPT: usize = 32;

thread_local! {
    /// The buffer for small frames that are written together.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(GATHERED));
}

/// Unsent frames, in the order in which they leave. A frame that is written at once is never charged to the account:
/// [`Self::settle`] charges what is left after a write.
pub(super) struct Unsent {
    protocol: Protocol,
    frames: VecDeque<Arc<Frame>>,
    /// How many of the first frames are charged.
    charged: usize,
    /// Unsent bytes in the queue.
    bytes: usize,
    /// How many bytes of the first frame are written.
    written: usize,
    account: Arc<Account>,
    /// For the capacity of `frames`, where it is more than an empty queue keeps.
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

    /// Unsent bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a frame. False where more than `most` bytes would be unsent; but an empty queue takes any frame.
    pub(super) fn push(&mut self, frame: &Arc<Frame>, most: usize) -> bool {
        let bytes = frame.wire(self.protocol).len();
        if self.bytes + bytes > most && !self.frames.is_empty() {
            return false;
        }
        self.bytes += bytes;
        self.frames.push_back(frame.clone());
        true
    }

    /// Charges what is in the queue and is not charged yet.
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

    /// Removes the first frame.
    fn pop(&mut self) {
        let frame = self.frames.pop_front();
        if let Some(frame) = frame
            && self.charged > 0
        {
            self.charged -= 1;
            frame.unqueued();
        }
    }

    /// Removes all frames but the first `len`.
    fn truncate(&mut self, len: usize) {
        for frame in self.frames.range(len.min(self.charged)..self.charged) {
            frame.unqueued();
        }
        self.charged = self.charged.min(len);
        self.frames.truncate(len);
    }

    /// Removes all frames.
    pub(super) fn clear(&mut self) {
        self.truncate(0);
        self.frames = VecDeque::new();
        (self.bytes, self.written, self.slots) = (0, 0, None);
    }

    /// Removes all packets of which nothing was written. What was written in part must be completed, or the client
    /// would misread whatever comes next.
    pub(super) fn forget_whole_frames(&mut self) {
        self.truncate(usize::from(self.written > 0));
        if let Some(first) = self.frames.front().filter(|first| first.is_joined()).cloned() {
            // Keeps only the part that was written in part.
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

    /// Frees the capacity that an empty queue does not need.
    pub(super) fn shrink(&mut self) {
        if self.frames.is_empty() && self.frames.capacity() > KEPT {
            (self.frames, self.slots) = (VecDeque::new(), None);
        }
    }

    /// Passes unsent bytes to `write`, which returns how many it took, until nothing is left or it fails.
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

    /// Removes this many bytes from the front.
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
mod tests;
