//! The write half of a WebSocket's stream: the trait, and its implementation for TCP.

use std::{
    io,
    task::{Context, Poll},
};

use rustix::{
    io::Errno,
    net::{self, SendFlags},
};
use tokio::net::tcp::OwnedWriteHalf;

/// The write half of a WebSocket's stream. Dropping it shuts the stream down for writing.
pub(in crate::engine) trait Writer {
    /// Writes as many bytes as possible without waiting. `WouldBlock` if no byte can be written.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes what the stream itself holds back, as TLS does. `WouldBlock` if that has to wait.
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    /// Ready when the stream is writable again, after `WouldBlock`.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Drops this half without a shutdown. The caller drops the other half next, which closes the stream.
    fn drop_without_shutdown(self);
}

impl Writer for OwnedWriteHalf {
    /// Writes as `TcpStream::try_write` does, with half of its overhead around the system call. If the send buffer is
    /// full, `try_write` is called too: it makes the runtime wake the reader when the stream is writable again.
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match net::send(self.as_ref(), bytes, FLAGS) {
            Err(Errno::WOULDBLOCK | Errno::INTR) => self.try_write(bytes),
            sent => Ok(sent?),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // If the stream has failed, the next write returns the error.
        self.as_ref().poll_write_ready(cx).map(drop)
    }

    fn drop_without_shutdown(self) {
        Self::forget(self);
    }
}

#[cfg(not(target_vendor = "apple"))]
const FLAGS: SendFlags = SendFlags::NOSIGNAL;
/// Apple's systems do not have the flag. It is not needed there: Rust ignores SIGPIPE.
#[cfg(target_vendor = "apple")]
const FLAGS: SendFlags = SendFlags::empty();
