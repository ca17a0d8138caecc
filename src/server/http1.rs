//! Serves HTTP/1 on a TCP connection through hyper. Only `engine::HttpStream` is between hyper and the TCP stream, so
//! that the engine can take the stream back after a WebSocket handshake.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, response::IntoResponse};
use futures_util::FutureExt;
use http::{Request, StatusCode, header::RETRY_AFTER};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    sync::{Notify, watch},
    time::timeout,
};
use tower::Service;

use super::{
    address,
    busy::{BusyGuard, HttpConnection},
    tcp_connections::ConnectionPermit,
};
use crate::{
    app::App,
    engine::{HEAD_MAX, HttpStream},
};

/// How long a client may take to send the head of a request, and how long a connection may be idle.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximal number of headers of a request. Every request takes memory for so many.
const HEADERS_MAX: usize = 256;
/// How long a connection that has to make room for others may take to finish its last response.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// An accepted TCP connection.
pub(super) struct TcpConnection {
    pub(super) app: Arc<App>,
    pub(super) router: Router,
    pub(super) http: http1::Builder,
    pub(super) peer: SocketAddr,
    /// Changes when no further requests are accepted.
    pub(super) closing: watch::Receiver<()>,
    pub(super) permit: ConnectionPermit,
    /// Notified when the connection has to make room for others.
    pub(super) close: Arc<Notify>,
}

/// The settings of hyper.
pub(super) fn builder() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_MAX).max_headers(HEADERS_MAX);
    http
}

impl TcpConnection {
    /// Serves requests until the connection is closed. `bytes` were already read from the stream.
    pub(super) async fn serve(self: Box<Self>, stream: TcpStream, bytes: Vec<u8>) {
        let Self { app, router, http, peer, mut closing, permit, close } = *self;
        let connection = Arc::new(HttpConnection { permit: Mutex::new(permit), close: close.clone() });
        let stream = HttpStream::new(stream, bytes, &app.memory, connection.clone());
        let http_connection = connection.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let client = || address::of(&app, peer, request.headers()).0.0;
            let begun = connection.permit.lock().begin_request(client);
            let busy = BusyGuard::new(&connection);
            let answer = begun.map(|()| {
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
            // A request that is there is read first: without one, hyper would close the connection unanswered.
            biased;
            result = &mut connection => result,
            _ = closing.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = close.notified() => {
                connection.as_mut().graceful_shutdown();
                match connection.as_mut().now_or_never() {
                    Some(result) => result,
                    // Only for the last response.
                    None if http_connection.permit.lock().may_linger() => {
                        timeout(LAST_ANSWER, connection).await.unwrap_or(Ok(()))
                    }
                    // Otherwise hyper would wait for the rest of an incomplete request.
                    None => Ok(()),
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection broke");
        }
    }
}
