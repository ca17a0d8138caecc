//! A request's body that passes its unread rest on when it is dropped.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A request's body. If it is dropped before its end, `F` is called with the rest, and with whether the body was read
/// at all. After an error there is no rest.
pub(crate) struct BodyWithRest<F: FnOnce(Body, bool)> {
    /// `None` after the end or an error.
    body: Option<Body>,
    was_read: bool,
    pass_on: Option<F>,
}

impl<F: FnOnce(Body, bool)> BodyWithRest<F> {
    pub(crate) fn new(body: Body, pass_on: F) -> Self {
        Self { body: Some(body), was_read: false, pass_on: Some(pass_on) }
    }
}

impl<F: FnOnce(Body, bool) + Unpin> HttpBody for BodyWithRest<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.was_read = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl<F: FnOnce(Body, bool)> Drop for BodyWithRest<F> {
    fn drop(&mut self) {
        if let (Some(rest), Some(pass_on)) = (self.body.take(), self.pass_on.take())
            && !rest.is_end_stream()
        {
            pass_on(rest, self.was_read);
        }
    }
}
