//! The two halves of a WebSocket's stream. A TCP stream is written to directly; any other stream, such as TLS, is
//! shared by its halves.

mod other;
mod writer;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use self::other::{OtherReadHalf, OtherWriteHalf};
pub(super) use self::writer::Writer;

/// The half that is read from. Dropping it after the other half closes the stream.
pub(super) enum ReadHalf {
    Tcp(OwnedReadHalf),
    Other(OtherReadHalf),
}

/// The half that is written to.
pub(super) enum WriteHalf {
    Tcp(OwnedWriteHalf),
    Other(OtherWriteHalf),
}

/// Splits a TCP stream.
pub(super) fn split_tcp(stream: TcpStream) -> (ReadHalf, WriteHalf) {
    let (reader, writer) = stream.into_split();
    (ReadHalf::Tcp(reader), WriteHalf::Tcp(writer))
}

/// Splits a stream of a type that only hyper knows.
pub(super) fn split(stream: Upgraded) -> (ReadHalf, WriteHalf) {
    let (reader, writer) = other::split(TokioIo::new(stream));
    (ReadHalf::Other(reader), WriteHalf::Other(writer))
}

impl AsyncRead for ReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Other(stream) => stream.poll_read(cx, into),
        }
    }
}

impl Writer for WriteHalf {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.send(bytes),
            Self::Other(stream) => stream.send(bytes),
        }
    }

    fn flush(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => Writer::flush(stream),
            Self::Other(stream) => stream.flush(),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(stream) => stream.poll_writable(cx),
            Self::Other(stream) => stream.poll_writable(cx),
        }
    }

    fn drop_without_shutdown(self) {
        match self {
            Self::Tcp(stream) => stream.drop_without_shutdown(),
            Self::Other(stream) => stream.drop_without_shutdown(),
        }
    }
}

impl WriteHalf {
    /// Writes a short message outside of an output. An error if the stream does not take the whole of it at once.
    pub(super) fn send_now(&self, message: &[u8]) -> io::Result<()> {
        if self.send(message)? < message.len() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Writer::flush(self)
    }
}
