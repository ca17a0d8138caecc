//! The transport that frames leave through.

use std::{
    io,
    task::{Context, Poll, Waker},
};

use rustix::{
    io::Errno,
    net::{self, SendFlags},
};
use tokio::net::tcp::OwnedWriteHalf;

/// A transport, by its name in Engine.IO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportName {
    /// HTTP long polling.
    Polling,
    /// A WebSocket.
    WebSocket,
}

/// The state of a transport. `W` is what a WebSocket's bytes are written to: TCP, except in models.
pub(in crate::engine) enum Transport<W = OwnedWriteHalf> {
    /// Long polling.
    Polling {
        /// The client's poll.
        request: Request,
        /// Whether the client is upgrading to a WebSocket.
        upgrade: Upgrade,
    },
    /// A WebSocket.
    WebSocket(W),
    /// No frame is accepted any more. Those in the queue are sent, over a WebSocket or in the answers to polls; then
    /// the transport is closed.
    Closing(Option<W>),
    /// Nothing is accepted and nothing is sent.
    Closed,
}

/// Whether a polling client is upgrading to a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Upgrade {
    No,
    /// The WebSocket is open and is being probed.
    Begun,
}

/// The poll (a GET) of a polling client.
pub(in crate::engine) enum Request {
    /// There is none.
    None,
    /// It waits for frames. With a waker, it must be woken; without, it is about to look at the queue.
    Waiting(Option<Waker>),
    /// It was woken for an upgrade: it is answered with NOOP if the queue is empty.
    Released,
}

/// What a WebSocket's bytes are written to. Dropping it shuts the stream down for writing.
pub(in crate::engine) trait Stream {
    /// Writes what it takes at once. `WouldBlock` where it takes nothing.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Ready where it takes more again.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Drops it without shutting the stream down.
    fn forget(self);
}

impl Stream for OwnedWriteHalf {
    /// Writes as `TcpStream::try_write` does, at half of its cost beside the system call. Where the kernel takes no
    /// more, `try_write` is called as well: only then does the runtime wake the reader when the kernel takes more again.
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match net::send(self.as_ref(), bytes, FLAGS) {
            Err(Errno::WOULDBLOCK | Errno::INTR) => self.try_write(bytes),
            sent => Ok(sent?),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Where it has failed, the next write says so.
        self.as_ref().poll_write_ready(cx).map(drop)
    }

    fn forget(self) {
        Self::forget(self);
    }
}

#[cfg(not(target_vendor = "apple"))]
const FLAGS: SendFlags = SendFlags::NOSIGNAL;
/// Apple's systems have no such flag. It is not needed: Rust ignores the signal.
#[cfg(target_vendor = "apple")]
const FLAGS: SendFlags = SendFlags::empty();
