//! The layers around every request: request id, log line, metrics, and a response even if the handler panics.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, header::EXPECT};
use http_body_util::BodyExt;
use uuid::Uuid;

use super::{body_with_rest::BodyWithRest, charged_bodies::RequestCharge, response::ApiError};
use crate::{app::App, error::Error};

/// The header with the request's id, which identifies the request in the logs of several servers.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Maximal number of characters of a request id that a client chose.
const ID_MAX: usize = 128;
/// How long the rest of a refused request's body is read, so that the client gets the response instead of a reset.
const LINGER: Duration = Duration::from_secs(5);

/// Gives a request its id, answers 503 if a handler panics, and records log line and metrics.
pub(crate) async fn observe(
    State(app): State<Arc<App>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let arrived = Instant::now();
    let id = request_id(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // With `Expect: 100-continue`, the client sends the body only if the server asks for it.
    let asks_first = request.headers().contains_key(EXPECT);
    let charge = RequestCharge::new(&app);
    let request = request.map(|body| match asks_first {
        true => charge.body(body),
        false => charge.body(Body::new(BodyWithRest::new(body, |rest, _| linger(rest)))),
    });
    let mut response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        ApiError(Error::internal("the server failed", "a request's handler panicked")).into_response()
    });
    response = charge.response(&app, response);
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

/// The request id that the client sent, if it is short and printable; otherwise a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_sane =
        |id: &&HeaderValue| (1..=ID_MAX).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    headers
        .get(REQUEST_ID)
        .filter(is_sane)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_str(&Uuid::new_v4().simple().to_string()).expect("letters and digits"))
}

/// Reads the rest of a request's body in the background. A connection that is closed with unread bytes is reset, and
/// the response could be lost.
fn linger(mut body: Body) {
    let rest = async move { while let Some(Ok(_)) = body.frame().await {} };
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(tokio::time::timeout(LINGER, rest));
    }
}
