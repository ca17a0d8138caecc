//! What waits to be sent to one client.

mod unsent;

use std::{
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use rustix::{
    io::Errno,
    net::{self, SendFlags},
};
use tokio::net::{TcpStream, tcp::OwnedWriteHalf};

use self::unsent::Unsent;
use super::{frame::Frame, pressure::Account, version::Protocol};

/// The frames that wait, in the order in which they leave, and the way out.
pub(super) struct Output {
    queue: Unsent,
    transport: Transport,
    /// Already scheduled for flushing, or corked by the reader.
    is_scheduled: bool,
    /// The kernel takes no more until the socket is writable again.
    is_blocked: bool,
    /// Whoever reads from the WebSocket: to be woken when it must write, or end.
    reader: Option<Waker>,
    /// NOOP and CLOSE, for the poll after the queue was fetched.
    farewell: Option<[Arc<Frame>; 2]>,
}

/// A transport, by its name in Engine.IO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportName {
    /// HTTP long polling.
    Polling,
    /// A WebSocket.
    WebSocket,
}

/// The way out.
pub(super) enum Transport {
    /// Long polling.
    Polling {
        /// A request that waits for something to answer with.
        request: Request,
        /// Whether a WebSocket is being tried.
        upgrade: Upgrade,
    },
    /// A WebSocket.
    WebSocket(OwnedWriteHalf),
    /// Nothing more may come; what is in the queue is sent, then the client is left.
    Closing(Option<OwnedWriteHalf>),
    /// Nothing leaves.
    Closed,
}

/// How far a polling client has come with a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrade {
    No,
    /// There is one.
    Begun,
}

/// A polling client's GET.
pub(super) enum Request {
    None,
    /// Somebody is answering it, or will be woken to.
    Waiting(Option<Waker>),
    /// Woken during an upgrade: answered with NOOP if the queue is empty.
    Released,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It is in the queue, and whoever empties it knows.
    Queued,
    /// It is in the queue: see to it that it is emptied.
    Schedule,
    /// It was volatile, and the client is not ready.
    Skipped,
    /// Too much waits.
    Full,
    /// There is nobody to send to.
    Gone,
}

/// What became of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flushed {
    /// It is empty, or somebody will come back for the rest.
    Done,
    /// The connection is broken.
    Failed,
}

impl Output {
    pub(super) fn new(protocol: Protocol, transport: Transport, account: &Arc<Account>) -> Self {
        let queue = Unsent::new(protocol, account);
        Self { queue, transport, is_scheduled: false, is_blocked: false, reader: None, farewell: None }
    }

    pub(super) fn transport(&mut self) -> &mut Transport {
        &mut self.transport
    }

    pub(super) fn bytes(&self) -> usize {
        self.queue.bytes()
    }

    pub(super) fn is_websocket(&self) -> bool {
        matches!(self.transport, Transport::WebSocket(_))
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.transport, Transport::WebSocket(_) | Transport::Polling { .. })
    }

    /// Whether there is a polling client to fetch what waits.
    pub(super) fn is_polled(&self) -> bool {
        matches!(self.transport, Transport::Polling { .. } | Transport::Closing(None))
    }

    /// Whether a polling client has yet to fetch what was said last.
    pub(super) fn awaits_fetch(&self) -> bool {
        matches!(self.transport, Transport::Closing(None)) && (!self.queue.is_empty() || self.farewell.is_some())
    }

    /// Whether the client is not ready for more: its socket is full, or it does not poll.
    pub(super) fn is_stuck(&self) -> bool {
        match &self.transport {
            Transport::WebSocket(_) => self.is_blocked,
            Transport::Polling { request, .. } => matches!(request, Request::None),
            Transport::Closing(_) | Transport::Closed => false,
        }
    }

    /// Appends a frame.
    pub(super) fn push(&mut self, frame: &Arc<Frame>, is_volatile: bool, most: usize) -> Pushed {
        if !self.is_open() {
            return Pushed::Gone;
        }
        if is_volatile && self.is_stuck() {
            return Pushed::Skipped;
        }
        let is_taken = match &self.transport {
            Transport::WebSocket(_) => self.queue.push(frame, most),
            // A body may hold some of them and not the others.
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

    /// Appends the last frame: nothing comes after it.
    pub(super) fn push_last(&mut self, frame: Option<Arc<Frame>>) {
        if let Some(frame) = frame {
            self.queue.push(&frame, usize::MAX);
        }
        self.transport = match std::mem::replace(&mut self.transport, Transport::Closed) {
            Transport::WebSocket(writer) => Transport::Closing(Some(writer)),
            Transport::Polling { request, .. } => {
                if let Request::Waiting(Some(waker)) = request {
                    waker.wake();
                }
                Transport::Closing(None)
            }
            other => other,
        };
    }

    /// Closes a polling session as Node does. A waiting poll is answered with CLOSE if the queue is empty; otherwise the
    /// queue is fetched first, and the poll after that gets NOOP and CLOSE.
    pub(super) fn close_polling(&mut self, noop: &Arc<Frame>, close: &Arc<Frame>) {
        if self.is_waited_for() && self.queue.is_empty() {
            return self.push_last(Some(close.clone()));
        }
        self.farewell = Some([noop.clone(), close.clone()]);
        self.push_last(None);
    }

    /// Ends a polling session at once, as Node does after an error of Engine.IO: a waiting poll is answered with CLOSE, and
    /// later requests find no session.
    pub(super) fn break_polling(&mut self, close: &Arc<Frame>) {
        if self.is_waited_for() {
            self.queue.clear();
            return self.push_last(Some(close.clone()));
        }
        self.close();
    }

    fn is_waited_for(&self) -> bool {
        matches!(self.transport, Transport::Polling { request: Request::Waiting(_) | Request::Released, .. })
    }

    /// Whether NOOP and CLOSE have yet to be fetched.
    pub(super) fn has_farewell(&self) -> bool {
        self.farewell.is_some()
    }

    /// Queues this frame in place of the NOOP and CLOSE that a poll would have fetched, if it was to fetch them.
    pub(super) fn replace_farewell(&mut self, last: &Arc<Frame>) {
        if self.farewell.take().is_some() {
            self.queue.push(last, usize::MAX);
        }
    }

    /// Forgets what waits, but for a frame that has left in part; then comes the last one.
    pub(super) fn cut_short(&mut self, last: Arc<Frame>) {
        self.queue.forget_whole_frames();
        self.push_last(Some(last));
    }

    /// Forgets everything; whoever reads or waits ends.
    pub(super) fn close(&mut self) {
        if let Transport::Polling { request: Request::Waiting(Some(waker)), .. } =
            std::mem::replace(&mut self.transport, Transport::Closed)
        {
            waker.wake();
        }
        self.queue.clear();
        self.farewell = None;
        self.wake_reader();
    }

    /// Sends a last frame and leaves: at once if the kernel takes everything.
    pub(super) fn hang_up(&mut self, frame: &Arc<Frame>) {
        self.queue.push(frame, usize::MAX);
        self.flush();
        if !self.queue.is_empty() {
            return self.push_last(None);
        }
        if let Transport::WebSocket(writer) = std::mem::replace(&mut self.transport, Transport::Closed) {
            // The whole connection is closed, no need to close this half of it first.
            writer.forget();
        }
        self.wake_reader();
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.transport, Transport::Closed)
    }

    pub(super) fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Lets the reader know of everything that happens from now on. False where it has to end.
    pub(super) fn watch(&mut self, cx: &Context<'_>) -> bool {
        if !self.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            self.reader = Some(cx.waker().clone());
        }
        !matches!(self.transport, Transport::Closed)
    }

    /// What is pushed from now on waits for [`Self::uncork`].
    pub(super) fn cork(&mut self) {
        self.is_scheduled = true;
    }

    /// The connection may be writable again.
    pub(super) fn poll_unblocked(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.is_blocked {
            return false;
        }
        let (Transport::WebSocket(writer) | Transport::Closing(Some(writer))) = &self.transport else { return false };
        match writer.as_ref().poll_write_ready(cx) {
            Poll::Pending => false,
            Poll::Ready(_) => {
                self.is_blocked = false;
                true
            }
        }
    }

    /// Writes what waits, in as few writes as the kernel allows.
    pub(super) fn flush(&mut self) -> Flushed {
        self.is_scheduled = false;
        let result = self.write();
        if self.queue.is_empty() {
            self.queue.shrink();
            if let Transport::Closing(writer) = &mut self.transport {
                // Dropping it tells the client that nothing more comes.
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
        self.queue.write(|bytes| send(writer.as_ref(), bytes))
    }

    /// A body for a polling request, of at most `most` bytes unless its first packet alone has more.
    pub(super) fn payload(&mut self, most: usize) -> Option<String> {
        if self.queue.is_empty() {
            for frame in self.farewell.take().into_iter().flatten() {
                self.queue.push(&frame, usize::MAX);
            }
        }
        self.queue.payload(most)
    }
}

#[cfg(not(target_vendor = "apple"))]
const FLAGS: SendFlags = SendFlags::NOSIGNAL;
/// There is no such flag there, and none is needed: Rust's programs ignore the signal.
#[cfg(target_vendor = "apple")]
const FLAGS: SendFlags = SendFlags::empty();

/// Writes as `TcpStream::try_write` does, at half of what that costs beside the system call. Where the kernel takes no
/// more, the runtime has to see that itself, or it would not tell when it does again.
fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match net::send(stream, bytes, FLAGS) {
        Err(Errno::WOULDBLOCK | Errno::INTR) => stream.try_write(bytes),
        sent => Ok(sent?),
    }
}

#[cfg(test)]
mod tests;
