//! The output of one connection: its unsent frames and the transport they leave through.

mod closing;
mod transport;
mod unsent;

use std::{
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
};

pub use self::transport::TransportName;
pub(super) use self::transport::{PollState, Transport, UpgradeState};
use self::unsent::UnsentFrames;
use super::{
    frame::Frame,
    memory::Account,
    stream::{WriteHalf, Writer},
    version::Protocol,
};

/// The queue of unsent frames, and the transport. `W` is the write half of a WebSocket's stream.
pub(super) struct Output<W = WriteHalf> {
    queue: UnsentFrames,
    transport: Transport<W>,
    /// Whether it is already scheduled for flushing, or corked by the reader.
    is_scheduled: bool,
    /// Whether the kernel's send buffer is full: nothing is written until the stream is writable again.
    is_blocked: bool,
    /// Wakes the reader's task, when it must write or end.
    reader: Option<Waker>,
    /// NOOP and CLOSE of a connection that has ended. They are sent in the poll after the one that empties the queue.
    final_packets: Option<[Arc<Frame>; 2]>,
}

/// The outcome of [`Output::push`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushResult {
    /// The frame is in the queue. A flush is already scheduled, or a poll will fetch it.
    Queued,
    /// The frame is in the queue. The caller must schedule a flush.
    Schedule,
    /// The frame was skipped: it is volatile, and the client is not ready for it.
    Skipped,
    /// The frame was refused: the queue would exceed the limit of unsent bytes.
    Full,
    /// The frame was refused: the output is closing or closed.
    Gone,
}

/// The outcome of [`Output::flush`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlushResult {
    /// The queue is empty, or the reader will write the rest when the stream is writable again.
    Done,
    /// The write failed: the network connection is broken.
    Failed,
}

impl<W: Writer> Output<W> {
    pub(super) fn new(protocol: Protocol, transport: Transport<W>, account: &Arc<Account>) -> Self {
        let queue = UnsentFrames::new(protocol, account);
        Self { queue, transport, is_scheduled: false, is_blocked: false, reader: None, final_packets: None }
    }

    /// The transport.
    pub(super) fn transport(&mut self) -> &mut Transport<W> {
        &mut self.transport
    }

    /// Unsent bytes.
    pub(super) fn bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Whether frames leave through a WebSocket.
    pub(super) fn is_websocket(&self) -> bool {
        matches!(self.transport, Transport::WebSocket(_))
    }

    /// Whether frames are accepted.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.transport, Transport::WebSocket(_) | Transport::Polling { .. })
    }

    /// Whether polls fetch the queue.
    pub(super) fn is_polled(&self) -> bool {
        matches!(self.transport, Transport::Polling { .. } | Transport::Closing(None))
    }

    /// Whether the connection has ended and a polling client has not fetched the last frames yet.
    pub(super) fn awaits_fetch(&self) -> bool {
        matches!(self.transport, Transport::Closing(None)) && (!self.queue.is_empty() || self.final_packets.is_some())
    }

    /// Whether the client is not ready for more: the kernel's send buffer is full, or no poll waits.
    pub(super) fn is_stuck(&self) -> bool {
        match &self.transport {
            Transport::WebSocket(_) => self.is_blocked,
            Transport::Polling { poll, .. } => matches!(poll, PollState::None),
            Transport::Closing(_) | Transport::Closed => false,
        }
    }

    /// Appends a frame, unless the queue would then hold more than `most` bytes.
    pub(super) fn push(&mut self, frame: &Arc<Frame>, is_volatile: bool, most: usize) -> PushResult {
        if !self.is_open() {
            return PushResult::Gone;
        }
        if is_volatile && self.is_stuck() {
            return PushResult::Skipped;
        }
        let is_accepted = match &self.transport {
            Transport::WebSocket(_) => self.queue.push(frame, most),
            // Joined events are queued one by one, because a polling payload may have room for only some of them.
            _ => frame.parts().iter().all(|part| self.queue.push(part, most)),
        };
        if !is_accepted {
            return PushResult::Full;
        }
        match &mut self.transport {
            Transport::WebSocket(_) if self.is_blocked => {
                self.queue.charge_frames();
                PushResult::Queued
            }
            Transport::WebSocket(_) => {
                if std::mem::replace(&mut self.is_scheduled, true) {
                    return PushResult::Queued;
                }
                PushResult::Schedule
            }
            Transport::Polling { poll: PollState::Waiting(waker), .. } => {
                if let Some(waker) = waker.take() {
                    waker.wake();
                }
                PushResult::Queued
            }
            _ => {
                self.queue.charge_frames();
                PushResult::Queued
            }
        }
    }

    /// Whether it is closed: nothing is sent any more.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.transport, Transport::Closed)
    }

    /// Wakes the task that reads from the WebSocket.
    pub(super) fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Registers the reader's task, to be woken by [`Self::wake_reader`]. False if the output is closed, so that the
    /// task must end.
    pub(super) fn register_reader(&mut self, cx: &Context<'_>) -> bool {
        if !self.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            self.reader = Some(cx.waker().clone());
        }
        !matches!(self.transport, Transport::Closed)
    }

    /// Frames that are pushed from now on schedule no flush: the caller flushes them.
    pub(super) fn cork(&mut self) {
        self.is_scheduled = true;
    }

    /// Whether the stream is writable again after it was blocked. While it is blocked, the task is woken once the
    /// stream is writable.
    pub(super) fn poll_unblocked(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.is_blocked {
            return false;
        }
        let (Transport::WebSocket(writer) | Transport::Closing(Some(writer))) = &self.transport else { return false };
        match writer.poll_writable(cx) {
            Poll::Pending => false,
            Poll::Ready(()) => {
                self.is_blocked = false;
                true
            }
        }
    }

    /// Writes as much of the queue as the kernel accepts.
    pub(super) fn flush(&mut self) -> FlushResult {
        self.is_scheduled = false;
        let result = self.write();
        if self.queue.is_empty() {
            self.queue.shrink();
            if let Transport::Closing(writer) = &mut self.transport {
                // Dropping it shuts the stream down for writing.
                *writer = None;
            }
        } else {
            self.queue.charge_frames();
        }
        match result {
            Ok(()) => FlushResult::Done,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_blocked = true;
                self.wake_reader();
                FlushResult::Done
            }
            Err(_) => FlushResult::Failed,
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let (Transport::WebSocket(writer) | Transport::Closing(Some(writer))) = &self.transport else { return Ok(()) };
        if self.is_blocked {
            return Ok(());
        }
        self.queue.write(|bytes| writer.send(bytes))?;
        writer.flush()
    }

    /// The payload that answers a poll: at most `most` bytes, unless its first packet alone has more. `None` if nothing
    /// is unsent.
    pub(super) fn payload(&mut self, most: usize) -> Option<String> {
        if self.queue.is_empty() {
            for frame in self.final_packets.take().into_iter().flatten() {
                self.queue.push(&frame, usize::MAX);
            }
        }
        self.queue.payload(most)
    }
}

#[cfg(test)]
mod models;
#[cfg(test)]
mod tests;
