//! A stream that is not a TCP stream of ours: TLS, a Unix socket, a pipe within the process.
//!
//! An output writes from any thread and never waits, but `AsyncWrite` has a task that waits. So both halves poll the
//! stream with one waker, [`Wakeup`]: it notes that the stream can go on, and wakes the task that reads.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use parking_lot::{Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::writer::Writer;

/// The half that is read from. Its task also does what the other half could not do without waiting.
pub(in crate::engine) struct OtherReadHalf<S = TokioIo<Upgraded>>(Arc<Shared<S>>)
where
    S: AsyncRead + AsyncWrite + Unpin;

/// The half that is written to. Dropping it shuts the stream down for writing.
pub(in crate::engine) struct OtherWriteHalf<S = TokioIo<Upgraded>>(Arc<Shared<S>>)
where
    S: AsyncRead + AsyncWrite + Unpin;

/// What the halves share.
struct Shared<S> {
    /// Taken after the lock of an output.
    stream: Mutex<SharedStream<S>>,
    wakeup: Arc<Wakeup>,
}

struct SharedStream<S> {
    stream: S,
    /// The waker of every poll of the stream: [`Wakeup`].
    waker: Waker,
    /// Whether the stream has yet to be shut down for writing: the half that writes was dropped.
    is_shutting_down: bool,
}

/// Wakes the task that reads. The stream holds it, so it does not hold the stream.
#[derive(Default)]
struct Wakeup {
    /// Whether the stream may have become writable since the last write had to wait.
    is_writable: AtomicBool,
    reader: AtomicWaker,
}

/// Splits a stream.
pub(super) fn split<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> (OtherReadHalf<S>, OtherWriteHalf<S>) {
    let wakeup = Arc::<Wakeup>::default();
    let waker = Waker::from(wakeup.clone());
    let stream = Mutex::new(SharedStream { stream, waker, is_shutting_down: false });
    let shared = Arc::new(Shared { stream, wakeup });
    (OtherReadHalf(shared.clone()), OtherWriteHalf(shared))
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_writable.store(true, Ordering::Release);
        self.reader.wake();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> SharedStream<S> {
    fn poll<T>(&mut self, poll: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<T>) -> Poll<T> {
        poll(Pin::new(&mut self.stream), &mut Context::from_waker(&self.waker))
    }

    /// Continues the shutdown, if it was begun.
    fn continue_shutdown(&mut self) {
        if self.is_shutting_down && self.poll(AsyncWrite::poll_shutdown).is_ready() {
            // A failure is that of a broken stream, which reading finds too.
            self.is_shutting_down = false;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> OtherReadHalf<S> {
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.wakeup.reader.register(cx.waker());
        let mut stream = self.0.stream.lock();
        stream.continue_shutdown();
        stream.poll(|stream, cx| stream.poll_read(cx, into))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> OtherWriteHalf<S> {
    /// Locks the stream for a write. Before that the note is removed: a wake from now on is for this write.
    fn for_writing(&self) -> MutexGuard<'_, SharedStream<S>> {
        let stream = self.0.stream.lock();
        self.0.wakeup.is_writable.store(false, Ordering::Release);
        stream
    }
}

/// The result of a write that does not wait.
fn at_once<T>(written: Poll<io::Result<T>>) -> io::Result<T> {
    match written {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer for OtherWriteHalf<S> {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match at_once(self.for_writing().poll(|stream, cx| stream.poll_write(cx, bytes))) {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            written => written,
        }
    }

    fn flush(&self) -> io::Result<()> {
        at_once(self.for_writing().poll(AsyncWrite::poll_flush))
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.wakeup.reader.register(cx.waker());
        if self.0.wakeup.is_writable.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Shuts it down all the same: the end of TLS is a message (RFC 8446, section 6.1).
    fn drop_without_shutdown(self) {
        drop(self);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for OtherWriteHalf<S> {
    fn drop(&mut self) {
        let mut stream = self.0.stream.lock();
        stream.is_shutting_down = true;
        stream.continue_shutdown();
    }
}

#[cfg(test)]
mod tests;
