//! The first read of a TCP connection decides who serves it. A WebSocket handshake of Socket.IO that came whole and
//! passes every check of `handshake_checks` goes to the engine at once; everything else goes to hyper, which refuses
//! what is wrong.

use std::{
    future::poll_fn,
    mem::MaybeUninit,
    pin::Pin,
    task::{Poll, ready},
};

use http::{HeaderName, HeaderValue, Request};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
    time::timeout,
};

use super::{
    address, handshake_checks,
    http1::{HEAD_TIMEOUT, TcpConnection},
    tcp_connections::Place,
};
use crate::engine::{self, Reader, RequestHead, Verified};

/// The most bytes of the first read. A longer handshake goes through hyper.
const READ_MAX: usize = 4 * 1024;
/// The most headers of a handshake that does not go through hyper.
const HEADERS_MAX: usize = 48;

/// Who connects to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Everybody.
    Clients,
    /// Readers of the metrics.
    Operators,
}

/// Who serves a connection after the first read.
enum Served {
    /// The engine: a WebSocket of Socket.IO. `None` if the library refused it.
    ByEngine(Option<Reader>),
    /// hyper: HTTP that begins with these bytes.
    ByHyper(TcpStream, Vec<u8>),
}

/// A connection after its first read.
pub(super) enum Begun {
    /// A WebSocket of Socket.IO.
    WebSocket(Reader, Place),
    /// HTTP that begins with these bytes.
    Http(Box<TcpConnection>, TcpStream, Vec<u8>),
}

/// Waits for the first bytes and decides who serves the connection. `None` if nothing is to be served.
pub(super) async fn begin(mut connection: TcpConnection, expected: Expected, stream: TcpStream) -> Option<Begun> {
    let first = tokio::select! {
        first = timeout(HEAD_TIMEOUT, first_bytes(stream)) => first,
        _ = connection.closing.changed() => return None,
        () = connection.close.notified() => return None,
    };
    let (stream, bytes) = first.ok()??;
    let served = match expected {
        Expected::Clients => serve_by_engine(&mut connection, stream, bytes),
        Expected::Operators => Served::ByHyper(stream, bytes),
    };
    match served {
        Served::ByEngine(reader) => reader.map(|reader| Begun::WebSocket(reader, connection.place)),
        Served::ByHyper(stream, bytes) => Some(Begun::Http(Box::new(connection), stream, bytes)),
    }
}

/// Hands the stream to the engine, if the bytes are a valid handshake of a new WebSocket.
fn serve_by_engine(connection: &mut TcpConnection, stream: TcpStream, mut bytes: Vec<u8>) -> Served {
    let handshake = request(&bytes).and_then(|(request, end)| {
        let app = &connection.app;
        let is_ours = request.uri().path().strip_prefix(app.config.server.path());
        if !is_ours.is_some_and(|rest| matches!(rest, "" | "/")) || !engine::asks_for_websocket(request.headers()) {
            return None;
        }
        let (address, host) = address::of(app, connection.peer, request.headers());
        let head = RequestHead::of(&request, Some(address));
        let Ok(Verified::WebSocket(opening, acceptance)) = handshake_checks::check(app, &head, host.as_ref()) else {
            return None;
        };
        connection.place.work(|| address.0).ok()?;
        Some((opening, acceptance, end))
    });
    match handshake {
        Some((opening, acceptance, end)) => {
            Served::ByEngine(engine::accept_fast(opening, acceptance, stream, &mut bytes[end..]))
        }
        None => Served::ByHyper(stream, bytes),
    }
}

/// Waits for the first bytes. `None` if the connection broke.
async fn first_bytes(mut stream: TcpStream) -> Option<(TcpStream, Vec<u8>)> {
    let bytes = poll_fn(|cx| {
        // On the stack: while it waits, a connection has no buffer.
        let mut bytes = [MaybeUninit::uninit(); READ_MAX];
        let mut bytes = ReadBuf::uninit(&mut bytes);
        Poll::Ready(ready!(Pin::new(&mut stream).poll_read(cx, &mut bytes)).map(|()| bytes.filled().to_vec()))
    });
    match bytes.await {
        Ok(bytes) => Some((stream, bytes)),
        Err(error) => {
            tracing::debug!(%error, "a connection broke");
            None
        }
    }
}

/// Parses a request of HTTP/1.1 without a body, and says where it ends. `None` if it is incomplete, or something else.
fn request(bytes: &[u8]) -> Option<(Request<()>, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(end) = head.parse(bytes).ok()? else { return None };
    if head.version? != 1 {
        return None;
    }
    let mut request = Request::builder().method(head.method?).uri(head.path?).body(()).ok()?;
    for header in head.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        if matches!(name, http::header::CONTENT_LENGTH | http::header::TRANSFER_ENCODING) {
            return None;
        }
        request.headers_mut().append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some((request, end))
}
