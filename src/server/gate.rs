//! What stands before Socket.IO and the HTTP API: foreign pages and, while the server is going down, new connections
//! are turned away, on polling and on the upgrade alike.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, Method, StatusCode, Uri,
    header::{CONTENT_TYPE, ORIGIN, RETRY_AFTER},
};

use super::address::RequestedHost;
use crate::{
    app::App,
    error::{Code, Error},
    http::refusal,
};

/// Engine.IO's code for a request it forbids, and for one it cannot serve now
/// (<https://github.com/socketio/engine.io-protocol>).
const FORBIDDEN: u8 = 4;

pub(super) async fn gate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let host = request.extensions().get::<RequestedHost>();
    if !is_allowed(&app, request.headers(), host) {
        note_refusal(&app, &request);
        return refuse(StatusCode::FORBIDDEN, "Origin not allowed");
    }
    if app.is_draining() && !has_session(request.uri()) {
        return closing();
    }
    next.run(request).await
}

/// Nobody new is let in.
pub(super) fn closing() -> Response {
    let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, "The server is closing");
    response.headers_mut().insert(RETRY_AFTER, http::HeaderValue::from_static("1"));
    response
}

/// OPTIONS, which CORS answers, is answered without a body, as the `cors` package of Node's servers does.
pub(super) async fn preflight(request: Request, next: Next) -> Response {
    let is_options = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    if is_options && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    response
}

/// The same before the HTTP API, in its shape of replies.
pub(super) async fn api(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let host = request.extensions().get::<RequestedHost>();
    if !is_allowed(&app, request.headers(), host) {
        note_refusal(&app, &request);
        return refusal(Error::Forbidden("pages of this origin may not (cors.origins)".to_owned()));
    }
    if app.is_draining() {
        return refusal(Error::unavailable("the server is closing"));
    }
    next.run(request).await
}

fn note_refusal(app: &App, request: &Request) {
    app.metrics.refused(Code::Forbidden);
    if app.refusal_lines.check().is_ok() {
        tracing::info!(origin = ?request.headers().get(ORIGIN), "origin refused (cors.origins)");
    }
}

/// Whether pages of the origin that the request names may connect.
pub(super) fn is_allowed(app: &App, headers: &HeaderMap, host: Option<&RequestedHost>) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    if app.live().cors.origins.iter().any(|allowed| allowed.allows(origin)) {
        return true;
    }
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    matches!((authority, host), (Some(authority), Some(RequestedHost(host))) if authority.eq_ignore_ascii_case(host))
}

/// Whether the request belongs to a session that exists already, or did.
fn has_session(uri: &Uri) -> bool {
    // Of two the last counts, and an empty one is none.
    let mut pairs = uri.query().unwrap_or_default().rsplit('&');
    pairs.find_map(|pair| pair.strip_prefix("sid=")).is_some_and(|sid| !sid.is_empty())
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let body = format!(r#"{{"code":{FORBIDDEN},"message":"{message}"}}"#);
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
