//! The layers around every request: request id, log line, metrics, and a response even if the handler panics.

use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, header::EXPECT};
use http_body_util::BodyExt;
use uuid::Uuid;

use super::{answer::Failed, charged_bodies::Held};
use crate::{app::App, error::Error};

/// The header with the request's id, for finding a request in several logs.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of a request id that a client chose, at most.
const ID_MAX: usize = 128;
/// How long the rest of a refused request's body is read, so that the client gets the response instead of a reset.
const LINGER: Duration = Duration::from_secs(5);

pub(crate) async fn frame(
    State(app): State<Arc<App>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let arrived = Instant::now();
    let id = request_id(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // With `Expect: 100-continue` the client has not sent the body.
    let asks_first = request.headers().contains_key(EXPECT);
    let held = Held::new(&app);
    let request = request.map(|body| held.body(if asks_first { body } else { Body::new(Lingering(Some(body))) }));
    let mut response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        Failed(Error::internal("the server failed", "a request's handler panicked")).into_response()
    });
    response = held.response(&app, response);
    let status = response.status();
    let route = route.as_ref().map_or("unknown", MatchedPath::as_str);
    app.metrics.requested(route, status.as_str(), arrived.elapsed());
    let id_text = id.to_str().unwrap_or_default();
    match response.extensions().get::<Arc<Error>>().map(|error| &**error) {
        Some(error @ Error::Unavailable(_, Some(source))) => {
            tracing::error!(request = id_text, %method, path, %error, source, "a request failed");
        }
        Some(error @ (Error::Unauthorized(_) | Error::TokenExpired(_))) if app.refusal_lines.check().is_ok() => {
            tracing::info!(request = id_text, %method, path, %error, "credentials refused");
        }
        error => {
            let error = error.map(tracing::field::display);
            tracing::debug!(request = id_text, %method, path, status = status.as_u16(), error, "a request was answered");
        }
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The client's request id if it can be logged, otherwise a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_sane =
        |id: &&HeaderValue| (1..=ID_MAX).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    headers
        .get(REQUEST_ID)
        .filter(is_sane)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_str(&Uuid::new_v4().simple().to_string()).expect("letters and digits"))
}

/// A body whose rest is read when it is dropped. A connection that is closed with unread bytes is reset, and the
/// response could be lost.
struct Lingering(Option<Body>);

impl HttpBody for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.as_ref().map_or_else(http_body::SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(mut body) = self.0.take().filter(|body| !body.is_end_stream()) else { return };
        let rest = async move { while let Some(Ok(_)) = body.frame().await {} };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(LINGER, rest));
        }
    }
}
