//! Tracks whether an HTTP connection is busy or idle. It is idle between the end of a response and the next request.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use http::{Response, StatusCode};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::tcp_connections::ConnectionPermit;

/// The state of an HTTP connection that its requests share.
pub(super) struct HttpConnection {
    pub(super) permit: Mutex<ConnectionPermit>,
    /// Notified when the connection has to close to make room for others.
    pub(super) close: Arc<Notify>,
}

/// Keeps a connection busy while a request is processed, until its response has been sent or dropped.
pub(super) struct BusyGuard(Option<Arc<HttpConnection>>);

impl BusyGuard {
    pub(super) fn new(connection: &Arc<HttpConnection>) -> Self {
        Self(Some(connection.clone()))
    }

    /// Moves the guard into the response's body. A connection that is upgraded never becomes idle.
    pub(super) fn until_sent(mut self, response: Response<Body>) -> Response<Body> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.0 = None;
            return response;
        }
        response.map(|body| Body::new(GuardedBody { body, _guard: self }))
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.permit.lock().become_idle(&connection.close);
        }
    }
}

/// A response's body that holds the guard until it is dropped.
struct GuardedBody {
    body: Body,
    _guard: BusyGuard,
}

impl HttpBody for GuardedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
