//! The TCP stream of an HTTP connection. The server passes it to hyper, and the engine takes it back after a WebSocket
//! handshake.

mod target_encoder;

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

use super::memory::{Account, Charge, MemoryKind, SCARCE_CHUNK};
use target_encoder::TargetEncoder;

/// Maximum number of bytes of a request that hyper buffers: the head, and the beginning of the body.
pub(crate) const HEAD_MAX: usize = 32 * 1024;
/// Maximum time in which a client may read nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A value with which the server counts a TCP connection. The connection counts as open until this value is dropped.
pub(crate) type ConnectionGuard = Arc<dyn Any + Send + Sync>;

/// A TCP stream whose first reads return bytes that the server has already read from it. The targets of request lines
/// are percent-encoded. A write fails if the client reads nothing for too long.
pub(crate) struct HttpStream {
    /// Bytes that were read from the stream, and that the next reads return.
    bytes: Vec<u8>,
    stream: TcpStream,
    targets: TargetEncoder,
    /// The charge for the bytes that were read since the last write. The code that reads a
    /// request body also charges it, so parts of a body are charged twice.
    charge: Charge,
    /// The timeout of a blocked write.
    write_timeout: Option<Pin<Box<Sleep>>>,
    guard: ConnectionGuard,
}

impl HttpStream {
    /// Wraps a stream from which `bytes` were already read. `guard` is dropped with the stream.
    pub(crate) fn new(stream: TcpStream, bytes: Vec<u8>, account: &Arc<Account>, guard: ConnectionGuard) -> Self {
        let charge = Charge::new(account, MemoryKind::Input, bytes.len());
        let (mut targets, mut encoded) = (TargetEncoder::new(), Vec::with_capacity(bytes.len()));
        targets.encode(&bytes, &mut encoded);
        Self { bytes: encoded, stream, targets, charge, write_timeout: None, guard }
    }

    /// The result of a write, or an error if the client has read nothing for too long.
    fn checked_write(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_timeout = None;
            self.charge.resize(0);
            return written;
        }
        let timeout = self.write_timeout.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(timeout.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// The stream, the bytes that the next reads would return, and the guard.
    pub(super) fn into_parts(self) -> (TcpStream, Vec<u8>, ConnectionGuard) {
        (self.stream, self.bytes, self.guard)
    }
}

impl AsyncRead for HttpStream {
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
            targets.encode(&into.filled()[before..], bytes);
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

impl AsyncWrite for HttpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.checked_write(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.checked_write(written, cx)
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
