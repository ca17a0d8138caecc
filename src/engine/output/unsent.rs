//! The queue of one connection: its unsent frames, of which the first may be partly written.

use std::{cell::RefCell, collections::VecDeque, io, sync::Arc};

use crate::engine::{
    frame::Frame,
    memory::{Account, Charge, MemoryKind},
    payload,
    version::Protocol,
};

/// Maximum number of bytes of several frames in one write. Copying small frames into one buffer is cheaper than
/// `writev`.
const GATHERED: usize = 16 * 1024;
/// Number of frames for which an empty queue keeps capacity.
const KEPT: usize = 32;

thread_local! {
    /// The buffer for small frames that are written together.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(GATHERED));
}

/// Unsent frames, in the order in which they are sent. [`Self::charge_frames`] is called after a write, so a frame that
/// is written at once is never charged to the account.
pub(super) struct UnsentFrames {
    protocol: Protocol,
    frames: VecDeque<Arc<Frame>>,
    /// The number of frames at the front that are charged to the account.
    charged: usize,
    /// Unsent bytes in the queue.
    bytes: usize,
    /// The number of bytes of the first frame that were already written.
    written: usize,
    account: Arc<Account>,
    /// The charge for the capacity of `frames`, if it is above [`KEPT`].
    slots: Option<Box<Charge>>,
}

impl UnsentFrames {
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

    /// Appends a frame. False if more than `most` bytes would be unsent. An empty queue accepts a frame of any size.
    pub(super) fn push(&mut self, frame: &Arc<Frame>, most: usize) -> bool {
        let bytes = frame.websocket_bytes(self.protocol).len();
        if self.bytes + bytes > most && !self.frames.is_empty() {
            return false;
        }
        self.bytes += bytes;
        self.frames.push_back(frame.clone());
        true
    }

    /// Charges the account for the frames that are not charged yet.
    pub(super) fn charge_frames(&mut self) {
        for frame in self.frames.range(self.charged..) {
            frame.charge(&self.account).queued();
        }
        self.charged = self.frames.len();
        let room = self.frames.capacity() * size_of::<Arc<Frame>>();
        if self.frames.capacity() > KEPT && self.slots.as_ref().is_none_or(|slots| slots.bytes() != room) {
            let account = &self.account;
            self.slots.get_or_insert_with(|| Box::new(Charge::new(account, MemoryKind::Output, 0))).resize(room);
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

    /// Removes all frames except the first `len`.
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

    /// Removes all packets of which no byte was written. A partly written packet stays, because the client would
    /// misread the next frame without the rest of it.
    pub(super) fn remove_unstarted(&mut self) {
        self.truncate(usize::from(self.written > 0));
        if let Some(first) = self.frames.front().filter(|first| first.is_joined()).cloned() {
            // Of a joined frame, keeps only the packet that was partly written.
            let mut parts = first.parts().iter();
            let begun = parts.find(|part| {
                let len = part.websocket_bytes(self.protocol).len();
                let is_gone = self.written >= len;
                self.written -= if is_gone { len } else { 0 };
                !is_gone
            });
            let begun = begun.filter(|_| self.written > 0).cloned();
            self.truncate(0);
            self.frames.extend(begun);
            self.charge_frames();
        }
        self.bytes = self.frames.front().map_or(0, |frame| frame.websocket_bytes(self.protocol).len() - self.written);
    }

    /// Frees the capacity of an empty queue above [`KEPT`].
    pub(super) fn shrink(&mut self) {
        if self.frames.is_empty() && self.frames.capacity() > KEPT {
            (self.frames, self.slots) = (VecDeque::new(), None);
        }
    }

    /// Passes unsent bytes to `write`, which returns the number of bytes written, until the queue is empty or `write`
    /// fails.
    pub(super) fn write(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        while let Some(first) = self.frames.front() {
            let first = &first.websocket_bytes(self.protocol)[self.written..];
            let sent = match self.frames.get(1) {
                Some(next) if first.len() + next.websocket_bytes(self.protocol).len() <= GATHERED => BUFFER
                    .with_borrow_mut(|buffer| {
                        buffer.clear();
                        buffer.extend_from_slice(first);
                        for frame in self.frames.iter().skip(1) {
                            let frame = frame.websocket_bytes(self.protocol);
                            if buffer.len() + frame.len() > GATHERED {
                                break;
                            }
                            buffer.extend_from_slice(frame);
                        }
                        write(buffer)
                    })?,
                _ => write(first)?,
            };
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.sent(sent);
        }
        Ok(())
    }

    /// Removes this number of bytes from the front.
    fn sent(&mut self, bytes: usize) {
        self.bytes -= bytes;
        let mut bytes = bytes + self.written;
        while let Some(front) = self.frames.front() {
            let len = front.websocket_bytes(self.protocol).len();
            if bytes < len {
                break;
            }
            bytes -= len;
            self.pop();
        }
        self.written = bytes;
    }

    /// The payload that answers a poll: at most `most` bytes, unless its first packet alone has more.
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
            self.bytes -= frame.websocket_bytes(self.protocol).len();
            self.pop();
        }
        self.shrink();
        Some(body)
    }
}

impl Drop for UnsentFrames {
    fn drop(&mut self) {
        self.truncate(0);
    }
}

#[cfg(test)]
mod tests;
