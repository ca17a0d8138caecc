//! The TCP stream of a connection that speaks HTTP: the server hands it to hyper, and the engine takes it back after a
//! WebSocket handshake.

mod targets;

use std::{
    any::Any,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::memory::{Account, Charge, Kind, SCARCE_CHUNK};
use targets::Targets;

/// The most bytes of a request that hyper buffers: its head, and the beginning of its body.
pub(crate) const HEAD_MAX: usize = 32 * 1024;
/// How long a client may read nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A value of the server's that is dropped when the connection is closed.
pub(crate) type Kept = Arc<dyn Any + Send + Sync>;

/// A TCP stream whose first bytes were read already, and are read again. Request lines are encoded as `targets` says.
/// Writing fails if the client reads nothing for too long.
pub(crate) struct Ahead {
    /// Bytes that were read from the stream and are to be read again.
    bytes: Vec<u8>,
    stream: TcpStream,
    targets: Targets,
    /// The charge for what was read since the last write. A part of a body is charged here and by its reader.
    charge: Charge,
    /// The timeout of a write that waits for the client.
    waiting: Option<Pin<Box<Sleep>>>,
    kept: Kept,
}

impl Ahead {
    /// `bytes` were read from the stream. `kept` is dropped with the stream.
    pub(crate) fn new(stream: TcpStream, bytes: Vec<u8>, account: &Arc<Account>, kept: Kept) -> Self {
        let charge = Charge::new(account, Kind::Input, bytes.len());
        let (mut targets, mut passed) = (Targets::new(), Vec::with_capacity(bytes.len()));
        targets.pass(&bytes, &mut passed);
        Self { bytes: passed, stream, targets, charge, waiting: None, kept }
    }

    /// The result of a write: an error if the client has read nothing for too long.
    fn progress(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.waiting = None;
            self.charge.resize(0);
            return written;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// The stream, the bytes that were not read again, and what is kept.
    pub(super) fn into_parts(self) -> (TcpStream, Vec<u8>, Kept) {
        (self.stream, self.bytes, self.kept)
    }
}

impl AsyncRead for Ahead {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.bytes.is_empty() {
            let before = into.filled().len();
            if self.charge.account().is_scarce() {
                let small = into.remaining().min(SCARCE_CHUNK);
                let mut part = ReadBuf::new(into.initialize_unfilled_to(small));
                ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
                let len = part.filled().len();
                into.advance(len);
            } else {
                ready!(Pin::new(&mut self.stream).poll_read(cx, into))?;
            }
            if into.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            let held = self.charge.bytes() + into.filled().len() - before;
            self.charge.resize(held.min(HEAD_MAX));
            if self.targets.skip(into.filled().len() - before) {
                return Poll::Ready(Ok(()));
            }
            let Self { bytes, targets, .. } = &mut *self;
            targets.pass(&into.filled()[before..], bytes);
            into.set_filled(before);
        }
        let len = self.bytes.len().min(into.remaining());
        into.put_slice(&self.bytes[..len]);
        if len == self.bytes.len() {
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..len);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Ahead {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.progress(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.progress(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
