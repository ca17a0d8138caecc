//! Takes connections. A client of Socket.IO that asks for a WebSocket is handed to the engine at once; for everything
//! else hyper speaks HTTP/1. Nothing stands between hyper and the TCP stream, so that the engine can take the stream
//! back after a handshake.

use std::{
    future::{Future, poll_fn},
    mem::MaybeUninit,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use http::{HeaderName, HeaderValue, Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tower::Service;

use super::{address, gate};
use crate::{
    app::App,
    engine::{Ahead, ClientAddress, HEAD_MAX, Reader},
};

/// How long a client may take to send a request's head, and how long a connection may lie idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a handshake that the engine may get at once, and its headers; others go through hyper.
const HANDSHAKE: usize = 4 * 1024;
const HEADERS: usize = 48;
/// Headers of a request, at the most. Each request pays for the room.
const HEADERS_MAX: usize = 256;
/// How long to wait where the system has no more connections to give.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// How long the last responses may take.
const LAST_RESPONSES: Duration = Duration::from_secs(1);

/// Serves until `closed` is done.
pub(super) async fn serve(listener: TcpListener, app: Arc<App>, router: Router, closed: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_MAX).max_headers(HEADERS_MAX);
    // Told when no further request is taken; every connection holds a receiver until it is done.
    let (last_request, closing) = watch::channel(());
    let mut closed = std::pin::pin!(closed);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut closed => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(EXHAUSTED).await;
                continue;
            }
        };
        // Nagle's algorithm would hold every second small packet back for 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection closed at once");
            continue;
        }
        let connection =
            Connection { app: app.clone(), router: router.clone(), http: http.clone(), peer, closing: closing.clone() };
        tokio::spawn(connection.serve(stream));
    }
    drop(closing);
    last_request.send_replace(());
    if timeout(LAST_RESPONSES, last_request.closed()).await.is_err() {
        tracing::debug!("some connections are still open");
    }
}

struct Connection {
    app: Arc<App>,
    router: Router,
    http: http1::Builder,
    peer: SocketAddr,
    closing: watch::Receiver<()>,
}

/// What a connection turned out to be.
enum Spoken {
    /// A client of Socket.IO; `None` where it was refused.
    Client(Option<Reader>),
    /// HTTP.
    Http(Ahead),
    /// Nothing: the connection broke.
    Nothing,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        let mut closing = self.closing.clone();
        let spoken = tokio::select! {
            spoken = timeout(HEAD_TIMEOUT, self.listen(stream)) => spoken,
            _ = closing.changed() => return,
        };
        drop(closing);
        match spoken {
            Ok(Spoken::Client(Some(reader))) => {
                drop(self);
                reader.run().await;
            }
            // Boxed: a WebSocket's task need not have room for it.
            Ok(Spoken::Http(stream)) => Box::pin(self.speak_http(stream)).await,
            Ok(Spoken::Client(None) | Spoken::Nothing) | Err(_) => {}
        }
    }

    async fn listen(&self, mut stream: TcpStream) -> Spoken {
        let bytes = poll_fn(|cx| {
            // While nothing is said, a connection has no buffer.
            let mut bytes = [MaybeUninit::uninit(); HANDSHAKE];
            let mut bytes = ReadBuf::uninit(&mut bytes);
            Poll::Ready(ready!(Pin::new(&mut stream).poll_read(cx, &mut bytes)).map(|()| bytes.filled().to_vec()))
        });
        match bytes.await {
            Ok(bytes) => self.hand_over(stream, bytes),
            Err(error) => {
                tracing::debug!(%error, "a connection broke");
                Spoken::Nothing
            }
        }
    }

    /// Gives the stream to the engine, if what has arrived is a handshake and nothing speaks against it.
    fn hand_over(&self, stream: TcpStream, mut bytes: Vec<u8>) -> Spoken {
        let opening = request(&bytes).and_then(|(request, end)| {
            let path = self.app.config.server.path();
            let is_ours = request.uri().path().strip_prefix(path).is_some_and(|rest| matches!(rest, "" | "/"));
            if !is_ours || self.app.is_draining() {
                return None;
            }
            let (ClientAddress(address), host) = address::of(&self.app, self.peer, request.headers());
            if !gate::is_allowed(&self.app, request.headers(), host.as_ref()) {
                return None;
            }
            Some((self.app.engine.opening(&request, address)?, end))
        });
        match opening {
            Some((opening, end)) => Spoken::Client(opening.open(stream, &mut bytes[end..])),
            None => Spoken::Http(Ahead::new(stream, bytes, &self.app.memory)),
        }
    }

    async fn speak_http(mut self, stream: Ahead) {
        let Self { router, peer, .. } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().call(request)
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let result = tokio::select! {
            result = &mut connection => result,
            _ = self.closing.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection broke");
        }
    }
}

/// A whole request without a body, and where it ends.
fn request(bytes: &[u8]) -> Option<(Request<()>, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
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
