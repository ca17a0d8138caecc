//! Tracks whether an HTTP connection is idle, that is between the end of a response and the next request.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use http::{Response, StatusCode};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::tcp_connections::Place;

/// An HTTP connection that can be told to close while it is idle.
pub(super) struct Closable {
    pub(super) place: Mutex<Place>,
    /// Notified when the connection has to close.
    pub(super) close: Arc<Notify>,
}

/// A request under way, until its response has been sent or dropped.
pub(super) struct Busy(Option<Arc<Closable>>);

impl Busy {
    pub(super) fn new(connection: &Arc<Closable>) -> Self {
        Self(Some(connection.clone()))
    }

    /// Wraps the response, which keeps the connection busy. An upgraded connection is busy for good.
    pub(super) fn until_sent(mut self, response: Response<Body>) -> Response<Body> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.0 = None;
            return response;
        }
        response.map(|body| Body::new(Answer { body, _busy: self }))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.place.lock().wait(&connection.close);
        }
    }
}

struct Answer {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answer {
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
