//! The output of one connection: its unsent frames and the transport they leave through.

mod closing;
mod transport;
mod unsent;

use std::{
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tokio::net::tcp::OwnedWriteHalf;

pub use self::transport::TransportName;
pub(super) use self::transport::{Request, Transport, Upgrade};
use self::{transport::Stream, unsent::Unsent};
use super::{frame::Frame, memory::Account, version::Protocol};

/// Unsent frames, in the order in which they leave, and their transport. `W` is what a WebSocket's bytes are written to.
pub(super) struct Output<W = OwnedWriteHalf> {
    queue: Unsent,
    transport: Transport<W>,
    /// Already scheduled for flushing, or corked by the reader.
    is_scheduled: bool,
    /// The kernel takes no more until the socket is writable again.
    is_blocked: bool,
    /// Wakes the task that reads from the WebSocket, when it must write or end.
    reader: Option<Waker>,
    /// NOOP and CLOSE, for the poll after the one that fetches the queue.
    farewell: Option<[Arc<Frame>; 2]>,
}

/// What became of a frame that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It is in the queue, and a flush or a poll is already due.
    Queued,
    /// It is in the queue, and the caller must have the output flushed.
    Schedule,
    /// It was skipped: it is volatile, and the client is not ready for it.
    Skipped,
    /// It was refused: too many bytes would be unsent.
    Full,
    /// It was refused: the output is closed.
    Gone,
}

/// What became of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flushed {
    /// It is empty, or the reader writes the rest when the kernel takes more.
    Done,
    /// The network connection is broken.
    Failed,
}

impl<W: Stream> Output<W> {
    pub(super) fn new(protocol: Protocol, transport: Transport<W>, account: &Arc<Account>) -> Self {
        let queue = Unsent::new(protocol, account);
        Self { queue, transport, is_scheduled: false, is_blocked: false, reader: None, farewell: None }
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

    /// Whether the queue is fetched by polls.
    pub(super) fn is_polled(&self) -> bool {
        matches!(self.transport, Transport::Polling { .. } | Transport::Closing(None))
    }

    /// Whether a polling client has yet to fetch the last frames.
    pub(super) fn awaits_fetch(&self) -> bool {
        matches!(self.transport, Transport::Closing(None)) && (!self.queue.is_empty() || self.farewell.is_some())
    }

    /// Whether the client is not ready for more: the kernel takes no more for it, or it does not poll.
    pub(super) fn is_stuck(&self) -> bool {
        match &self.transport {
            Transport::WebSocket(_) => self.is_blocked,
            Transport::Polling { request, .. } => matches!(request, Request::None),
            Transport::Closing(_) | Transport::Closed => false,
        }
    }

    /// Appends a frame, unless more than `most` bytes would be unsent.
    pub(super) fn push(&mut self, frame: &Arc<Frame>, is_volatile: bool, most: usize) -> Pushed {
        if !self.is_open() {
            return Pushed::Gone;
        }
        if is_volatile && self.is_stuck() {
            return Pushed::Skipped;
        }
        let is_taken = match &self.transport {
            Transport::WebSocket(_) => self.queue.push(frame, most),
            // One by one: a poll's payload may have room for some of them only.
            _ => frame.parts().iter().all(|part| self.queue.push(part, most)),
        };
        if !is_taken {
            return Pushed::Full;
        }
        match &mut self.transport {
            Transport::WebSocket(_) if self.is_blocked => {
                self.queue.settle();
                Pushed::Queued
            }
            Transport::WebSocket(_) => {
                if std::mem::replace(&mut self.is_scheduled, true) {
                    return Pushed::Queued;
                }
                Pushed::Schedule
            }
            Transport::Polling { request: Request::Waiting(waker), .. } => {
                if let Some(waker) = waker.take() {
                    waker.wake();
                }
                Pushed::Queued
            }
            _ => {
                self.queue.settle();
                Pushed::Queued
            }
        }
    }

    /// Whether nothing is sent any more.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.transport, Transport::Closed)
    }

    /// Wakes the task that reads from the WebSocket.
    pub(super) fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Registers the reader's task to be woken. False where it must end.
    pub(super) fn watch(&mut self, cx: &Context<'_>) -> bool {
        if !self.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            self.reader = Some(cx.waker().clone());
        }
        !matches!(self.transport, Transport::Closed)
    }

    /// Frames that are pushed from now on are not scheduled: the caller flushes them.
    pub(super) fn cork(&mut self) {
        self.is_scheduled = true;
    }

    /// Whether the kernel takes more again, after it took no more.
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

    /// Writes what is unsent, in as few writes as the kernel allows.
    pub(super) fn flush(&mut self) -> Flushed {
        self.is_scheduled = false;
        let result = self.write();
        if self.queue.is_empty() {
            self.queue.shrink();
            if let Transport::Closing(writer) = &mut self.transport {
                // Dropping it shuts the stream down for writing.
                *writer = None;
            }
        } else {
            self.queue.settle();
        }
        match result {
            Ok(()) => Flushed::Done,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_blocked = true;
                self.wake_reader();
                Flushed::Done
            }
            Err(_) => Flushed::Failed,
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let (Transport::WebSocket(writer) | Transport::Closing(Some(writer))) = &self.transport else { return Ok(()) };
        if self.is_blocked {
            return Ok(());
        }
        self.queue.write(|bytes| writer.send(bytes))
    }

    /// The payload for a poll: at most `most` bytes, unless its first packet alone has more. `None` where nothing is
    /// unsent.
    pub(super) fn payload(&mut self, most: usize) -> Option<String> {
        if self.queue.is_empty() {
            for frame in self.farewell.take().into_iter().flatten() {
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
