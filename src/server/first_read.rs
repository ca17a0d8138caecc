//! Reads the first bytes of a TCP connection and decides who serves it. If they are a complete WebSocket handshake of
//! Socket.IO that passes `handshake_checks`, the engine does. Everything else goes to hyper, also what is to be
//! refused.

use std::{
    future::poll_fn,
    mem::MaybeUninit,
    pin::Pin,
    task::{Poll, ready},
    time::Duration,
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
    requested_host::RequestedHost,
    tcp_connections::ConnectionPermit,
};
use crate::engine::{self, Reader, RequestHead, VerifiedRequest};

/// Maximal number of bytes of the first read. A longer handshake goes through hyper.
const READ_MAX: usize = 4 * 1024;
/// Maximal number of headers of a handshake that does not go through hyper.
const HEADERS_MAX: usize = 48;

/// The purpose of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListenerKind {
    /// Clients and backends connect to it.
    Clients,
    /// It serves the metrics.
    Operators,
}

/// How long a connection may take to send its first bytes when the server closes.
const LAST_FIRST_READ: Duration = Duration::from_millis(100);

/// Who serves a connection.
enum Handoff {
    /// The engine, for a WebSocket of Socket.IO. `None` if the handshake could not be accepted.
    ToEngine(Option<Reader>),
    /// hyper, for HTTP that begins with these bytes.
    ToHyper(TcpStream, Vec<u8>),
}

/// A connection after its first read, by the protocol that is spoken on it.
pub(super) enum Protocol {
    /// A WebSocket of Socket.IO.
    WebSocket(Reader, ConnectionPermit),
    /// HTTP that begins with these bytes.
    Http(Box<TcpConnection>, TcpStream, Vec<u8>),
}

/// Waits for the first bytes and decides who serves the connection. `None` if the connection is to be closed.
pub(super) async fn begin(mut connection: TcpConnection, kind: ListenerKind, stream: TcpStream) -> Option<Protocol> {
    let mut first = std::pin::pin!(timeout(HEAD_TIMEOUT, first_bytes(stream)));
    let first = tokio::select! {
        biased;
        first = &mut first => first,
        // A client that has just connected is about to send its request: it is answered, and not reset.
        _ = connection.closing.changed() => timeout(LAST_FIRST_READ, first).await.ok()?,
        () = connection.close.notified() => return None,
    };
    let (stream, bytes) = first.ok()??;
    let handoff = match kind {
        ListenerKind::Clients => serve_by_engine(&mut connection, stream, bytes),
        ListenerKind::Operators => Handoff::ToHyper(stream, bytes),
    };
    match handoff {
        Handoff::ToEngine(reader) => reader.map(|reader| Protocol::WebSocket(reader, connection.permit)),
        Handoff::ToHyper(stream, bytes) => Some(Protocol::Http(Box::new(connection), stream, bytes)),
    }
}

/// Hands the stream to the engine, if the bytes are a valid handshake of a new WebSocket.
fn serve_by_engine(connection: &mut TcpConnection, stream: TcpStream, mut bytes: Vec<u8>) -> Handoff {
    if connection.app.engine.is_application_asked() {
        // It may have to wait for the application, with the request in hyper's hands.
        return Handoff::ToHyper(stream, bytes);
    }
    let handshake = request(&bytes).and_then(|(request, end)| {
        let app = &connection.app;
        let is_ours = request.uri().path().strip_prefix(app.config.server.path());
        if !is_ours.is_some_and(|rest| matches!(rest, "" | "/")) || !engine::asks_for_websocket(request.headers()) {
            return None;
        }
        let (address, host) = address::of(app, connection.peer, request.headers());
        let head = RequestHead::of(&request, Some(address), host.as_ref().is_some_and(RequestedHost::is_https));
        let Ok(VerifiedRequest::WebSocket(opening, acceptance)) = handshake_checks::check(app, &head, host.as_ref())
        else {
            return None;
        };
        connection.permit.begin_request(|| address.0).ok()?;
        Some((opening, acceptance, end))
    });
    match handshake {
        Some((opening, acceptance, end)) => {
            Handoff::ToEngine(engine::accept_fast(opening, acceptance, stream, &mut bytes[end..]))
        }
        None => Handoff::ToHyper(stream, bytes),
    }
}

/// Waits for the first bytes. `None` if the connection broke.
async fn first_bytes(mut stream: TcpStream) -> Option<(TcpStream, Vec<u8>)> {
    let bytes = poll_fn(|cx| {
        // On the stack, so that a waiting connection has no buffer.
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

/// Parses an HTTP/1.1 request without a body. Returns it with its length. `None` if it is incomplete or something else.
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
