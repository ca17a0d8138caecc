//! Takes connections. A client of Socket.IO that asks for a WebSocket is handed to the engine at once; for everything
//! else hyper speaks HTTP/1. Nothing stands between hyper and the TCP stream, so that the engine can take the stream
//! back after a handshake.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    mem::MaybeUninit,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo, response::IntoResponse};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Request, StatusCode, header::RETRY_AFTER};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore, watch},
    time::timeout,
};
use tower::Service;

use super::{
    address,
    busy::{Busy, Closable},
    gate,
    tcp_connections::{Connections, Full, Place},
};
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
/// How long a connection that makes room for others may take for an answer that has not left yet.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// Connections whose refusal is waited for, and for how long.
const REFUSALS: usize = 8;
const REFUSAL: Duration = Duration::from_secs(1);
/// How long the last responses may take.
const LAST_RESPONSES: Duration = Duration::from_secs(1);

/// Serves until `closed` is done. Handshakes of Socket.IO go to the engine at once where clients are expected.
pub(super) async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    router: Router,
    expected: Expected,
    closed: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_MAX).max_headers(HEADERS_MAX);
    let connections = match expected {
        Expected::Clients => Connections::new(app.limits.clone(), app.metrics.clone()),
        Expected::Operators => Connections::few(app.limits.clone()),
    };
    let refusals = Arc::new(Semaphore::new(REFUSALS));
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
                if app.refusal_lines.check().is_ok() {
                    tracing::warn!(%error, "a connection could not be accepted");
                }
                connections.give_one_up();
                tokio::time::sleep(EXHAUSTED).await;
                continue;
            }
        };
        // Nagle's algorithm would hold every second small packet back for 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection closed at once");
            continue;
        }
        let close = Arc::new(Notify::new());
        let address = peer.ip().to_canonical();
        let is_proxy = address::is_trusted(address, &app.config.server.trusted_proxies);
        let place = match connections.admit((!is_proxy).then_some(address), &close) {
            Ok(place) => place,
            Err(full) => {
                if app.refusal_lines.check().is_ok() {
                    tracing::info!(%address, reason = full.message(), "connection refused");
                }
                refuse(stream, full, &refusals);
                continue;
            }
        };
        let connection = Connection {
            app: app.clone(),
            router: router.clone(),
            http: http.clone(),
            peer,
            expected,
            closing: closing.clone(),
            place,
            close,
        };
        // Boxed: a WebSocket's task need not have room for what comes before.
        tokio::spawn(go_on(Box::pin(connection.begin(stream))));
        // The tasks of those that make room for others have to run. Clients have no part in it.
        connections.settled().await;
    }
    drop(closing);
    last_request.send_replace(());
    if timeout(LAST_RESPONSES, last_request.closed()).await.is_err() {
        tracing::debug!("some connections are still open");
    }
}

/// Says that there is no place, and closes; as long as there are few of them in a way in which clients hear it.
fn refuse(mut stream: TcpStream, full: Full, refusals: &Arc<Semaphore>) {
    let message = full.message();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{message}",
        message.len()
    );
    if stream.try_write(answer.as_bytes()).is_err() {
        return;
    }
    let Ok(permit) = refusals.clone().try_acquire_owned() else { return };
    tokio::spawn(async move {
        let _permit = permit;
        // To close before the request was read would reset the connection, and the answer might be lost.
        let rest = async {
            stream.shutdown().await?;
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
        };
        // It was refused, however it ends.
        drop(timeout(REFUSAL, rest).await);
    });
}

/// Who connects to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Everybody.
    Clients,
    /// Whoever reads the metrics.
    Operators,
}

struct Connection {
    app: Arc<App>,
    router: Router,
    http: http1::Builder,
    peer: SocketAddr,
    expected: Expected,
    closing: watch::Receiver<()>,
    place: Place,
    /// Notified when it has to make room for others.
    close: Arc<Notify>,
}

/// What a connection turned out to be.
enum Spoken {
    /// A client of Socket.IO; `None` where it was refused.
    Client(Option<Reader>),
    /// HTTP, which begins with these bytes.
    Http(TcpStream, Vec<u8>),
}

/// A connection that goes on.
enum Begun {
    /// The engine has the stream.
    Client(Reader, Place),
    /// HTTP is spoken.
    Http(Box<Connection>, TcpStream, Vec<u8>),
}

async fn go_on(beginning: Pin<Box<impl Future<Output = Option<Begun>>>>) {
    let begun = beginning.await;
    match begun {
        Some(Begun::Client(reader, _place)) => reader.run().await,
        Some(Begun::Http(connection, stream, bytes)) => Box::pin(connection.speak_http(stream, bytes)).await,
        None => {}
    }
}

impl Connection {
    /// Waits for the first bytes. `None` where nothing comes of it.
    async fn begin(mut self, stream: TcpStream) -> Option<Begun> {
        let first = tokio::select! {
            first = timeout(HEAD_TIMEOUT, first_bytes(stream)) => first,
            _ = self.closing.changed() => return None,
            () = self.close.notified() => return None,
        };
        let (stream, bytes) = first.ok()??;
        match self.hand_over(stream, bytes) {
            Spoken::Client(reader) => reader.map(|reader| Begun::Client(reader, self.place)),
            Spoken::Http(stream, bytes) => Some(Begun::Http(Box::new(self), stream, bytes)),
        }
    }

    /// Gives the stream to the engine, if what has arrived is a handshake and nothing speaks against it.
    fn hand_over(&mut self, stream: TcpStream, mut bytes: Vec<u8>) -> Spoken {
        let is_expected = self.expected == Expected::Clients;
        let opening = request(&bytes).filter(|_| is_expected).and_then(|(request, end)| {
            let path = self.app.config.server.path();
            let is_ours = request.uri().path().strip_prefix(path).is_some_and(|rest| matches!(rest, "" | "/"));
            if !is_ours || self.app.is_draining() {
                return None;
            }
            let (ClientAddress(address), host) = address::of(&self.app, self.peer, request.headers());
            if !gate::is_allowed(&self.app, request.uri(), request.headers(), host.as_ref()) {
                return None;
            }
            let opening = self.app.engine.opening(&request, address)?;
            // Where there is no place, HTTP says so.
            self.place.work(|| address).ok()?;
            Some((opening, end))
        });
        match opening {
            Some((opening, end)) => Spoken::Client(opening.open(stream, &mut bytes[end..])),
            None => Spoken::Http(stream, bytes),
        }
    }

    async fn speak_http(self: Box<Self>, stream: TcpStream, bytes: Vec<u8>) {
        let Self { app, router, http, peer, mut closing, place, close, .. } = *self;
        let connection = Arc::new(Closable { place: Mutex::new(place), close: close.clone() });
        let stream = Ahead::new(stream, bytes, &app.memory, connection.clone());
        let closable = connection.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let client = || address::of(&app, peer, request.headers()).0.0;
            let place = connection.place.lock().work(client);
            let busy = Busy::new(&connection);
            let answer = place.map(|()| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo(peer));
                router.clone().call(request)
            });
            async move {
                let response = match answer {
                    Ok(answer) => answer.await?,
                    Err(full) => {
                        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], full.message()).into_response()
                    }
                };
                Ok::<_, Infallible>(busy.until_sent(response))
            }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let result = tokio::select! {
            result = &mut connection => result,
            _ = closing.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = close.notified() => {
                connection.as_mut().graceful_shutdown();
                match connection.as_mut().now_or_never() {
                    Some(result) => result,
                    // Only what has not left yet is waited for.
                    None if closable.place.lock().may_linger() => {
                        timeout(LAST_ANSWER, connection).await.unwrap_or(Ok(()))
                    }
                    // hyper would wait for the rest of a request that has not arrived whole.
                    None => Ok(()),
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection broke");
        }
    }
}

/// Waits for the first bytes; `None` where the connection broke.
async fn first_bytes(mut stream: TcpStream) -> Option<(TcpStream, Vec<u8>)> {
    let bytes = poll_fn(|cx| {
        // While nothing is said, a connection has no buffer.
        let mut bytes = [MaybeUninit::uninit(); HANDSHAKE];
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
