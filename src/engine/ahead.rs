//! A connection for HTTP, as the server hands it to hyper and the engine takes it back.

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

/// How long a client may take to read something of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is kept for as long as a connection is open.
pub(crate) type Kept = Arc<dyn Any + Send + Sync>;

/// A connection for HTTP. Its first bytes were read already, and are read again; a client that reads no answers is not
/// waited for.
pub(crate) struct Ahead {
    bytes: Vec<u8>,
    stream: TcpStream,
    /// Runs while the client reads nothing.
    waiting: Option<Pin<Box<Sleep>>>,
    kept: Kept,
}

impl Ahead {
    pub(crate) fn new(stream: TcpStream, bytes: Vec<u8>, kept: Kept) -> Self {
        Self { bytes, stream, waiting: None, kept }
    }

    /// What became of a write: an error where the client has read nothing for too long.
    fn progress(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// The connection, what was not read again, and what is kept for it.
    pub(super) fn into_parts(self) -> (TcpStream, Vec<u8>, Kept) {
        (self.stream, self.bytes, self.kept)
    }
}

impl AsyncRead for Ahead {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, into);
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
