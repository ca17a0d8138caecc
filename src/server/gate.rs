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
    header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN, RETRY_AFTER},
};

use super::host::RequestedHost;
use crate::{
    app::App,
    config::SentOrigin,
    error::{Code, Error},
    http::refusal,
};

/// Engine.IO's code for a request it forbids, and for one it cannot serve now
/// (<https://github.com/socketio/engine.io-protocol>).
const FORBIDDEN: u8 = 4;

pub(super) async fn gate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if let Err(stranger) = admit(&app, &request) {
        return refuse(StatusCode::FORBIDDEN, stranger.sentence());
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
    if let Err(stranger) = admit(&app, &request).and_then(|()| must_be_ours(&app, &request)) {
        return refusal(Error::Forbidden(stranger.sentence().to_owned()));
    }
    if app.is_draining() {
        return refusal(Error::unavailable("the server is closing"));
    }
    next.run(request).await
}

/// Why a request is refused before anybody asks who sent it.
enum Stranger {
    /// Its page is neither the server's own nor listed.
    Origin,
    /// On a loopback address, it is for a name that is none of that address.
    Host,
}

impl Stranger {
    /// Words for the client.
    fn sentence(&self) -> &'static str {
        match self {
            Self::Origin => "Origin not allowed (cors.origins)",
            Self::Host => "Host not allowed (server.hosts)",
        }
    }
}

/// Whether pages of the origin that the request names may connect.
pub(super) fn is_allowed(app: &App, headers: &HeaderMap, host: Option<&RequestedHost>) -> bool {
    judge(app, headers, host).is_ok()
}

fn judge(app: &App, headers: &HeaderMap, host: Option<&RequestedHost>) -> Result<(), Stranger> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    if app.live().cors.origins.iter().any(|allowed| allowed.allows(origin)) {
        return Ok(());
    }
    match (SentOrigin::parse(origin), host) {
        (Some(origin), Some(host)) if host.serves(&origin) => is_ours(app, host),
        _ => Err(Stranger::Origin),
    }
}

fn is_ours(app: &App, host: &RequestedHost) -> Result<(), Stranger> {
    if host.is_ours(app.is_on_loopback(), &app.live().server.hosts) { Ok(()) } else { Err(Stranger::Host) }
}

fn admit(app: &App, request: &Request) -> Result<(), Stranger> {
    let host = request.extensions().get::<RequestedHost>();
    judge(app, request.headers(), host).inspect_err(|stranger| note(app, request, host, stranger))
}

/// Browsers send no Origin where they read from what they take for the page's own host. Such a page has no key and no
/// token of anybody's, but in open mode it needs none.
fn must_be_ours(app: &App, request: &Request) -> Result<(), Stranger> {
    let headers = request.headers();
    let host = request.extensions().get::<RequestedHost>();
    match host {
        Some(host) if !headers.contains_key(ORIGIN) && !headers.contains_key(AUTHORIZATION) => {
            is_ours(app, host).inspect_err(|stranger| note(app, request, Some(host), stranger))
        }
        _ => Ok(()),
    }
}

fn note(app: &App, request: &Request, host: Option<&RequestedHost>, stranger: &Stranger) {
    app.metrics.refused(Code::Forbidden);
    if app.refusal_lines.check().is_err() {
        return;
    }
    let origin =
        request.headers().get(ORIGIN).map_or("none".into(), |origin| String::from_utf8_lossy(origin.as_bytes()));
    let host = host.map_or_else(|| "none".to_owned(), ToString::to_string);
    match stranger {
        Stranger::Origin => {
            tracing::info!(?origin, ?host, "origin refused: it is not the host's, nor one of cors.origins")
        }
        Stranger::Host => tracing::info!(
            ?origin,
            ?host,
            "host refused: it is no name of this loopback address, nor one of server.hosts, nor that of a proxy in server.trusted-proxies"
        ),
    }
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
