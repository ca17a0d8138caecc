//! What stands before Socket.IO and the HTTP API: foreign pages and, while the server is going down, new connections
//! are turned away, on polling and on the upgrade alike.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri,
    header::{ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, ORIGIN, REFERER, RETRY_AFTER, USER_AGENT},
};

use super::{
    referring_page::{self, Page},
    requested_host::RequestedHost,
};
use crate::{
    app::App,
    config::{AuthMode, SentOrigin},
    engine,
    error::{Code, Error},
    http::{has_key, refusal},
};

/// Engine.IO's code for a request it forbids, and for one it cannot serve now
/// (<https://github.com/socketio/engine.io-protocol>).
const FORBIDDEN: u8 = 4;

pub(super) async fn gate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let host = request.extensions().get::<RequestedHost>();
    if let Err(stranger) = judge(&app, request.uri(), request.headers(), host) {
        note(&app, request.headers(), host, &stranger);
        return refuse(StatusCode::FORBIDDEN, stranger.sentence());
    }
    if app.is_draining() && !engine::names_a_session(request.uri()) {
        return closing();
    }
    next.run(request).await
}

/// Nobody new is let in.
pub(super) fn closing() -> Response {
    let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, "The server is closing");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
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
    let (headers, host) = (request.headers(), request.extensions().get::<RequestedHost>());
    if let Err(stranger) = judge_call(&app, headers, host) {
        note(&app, headers, host, &stranger);
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
    /// On a loopback address, it is for a name that is none of that address. Any page can have such a name.
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

/// Whether a request under the path of Socket.IO, or for a plain WebSocket, may come in.
pub(super) fn is_allowed(app: &App, uri: &Uri, headers: &HeaderMap, host: Option<&RequestedHost>) -> bool {
    judge(app, uri, headers, host).is_ok()
}

fn judge(app: &App, uri: &Uri, headers: &HeaderMap, host: Option<&RequestedHost>) -> Result<(), Stranger> {
    let may_connect = match headers.get(ORIGIN) {
        Some(origin) => return judge_origin(app, origin, host),
        // Browsers send none where they read from what they take for the page's own host. Other clients may call the
        // server by any name.
        None if is_of_browser(headers) => {
            must_be_ours(app, host)?;
            match referring_page::of(headers, || engine::asks_for_jsonp(uri)) {
                Page::Own | Page::None => true,
                Page::Other(origin) => origin.is_some_and(|origin| judge_origin(app, &origin, host).is_ok()),
            }
        }
        None => true,
    };
    if may_connect { Ok(()) } else { Err(Stranger::Origin) }
}

/// Over HTTP, a backend with a key may call the server by any name, and where tokens are needed, so may whoever sends
/// one: a foreign page has neither.
fn judge_call(app: &App, headers: &HeaderMap, host: Option<&RequestedHost>) -> Result<(), Stranger> {
    let has_authorization = headers.contains_key(AUTHORIZATION);
    let has_token = app.config.auth.mode == AuthMode::Jwt && has_authorization;
    match headers.get(ORIGIN) {
        Some(origin) => judge_origin(app, origin, host),
        None if has_token || has_key(app, headers) => Ok(()),
        None if is_of_browser(headers) || !has_authorization => must_be_ours(app, host),
        None => Ok(()),
    }
}

/// The origin must be in `cors.origins`, or the server's own.
fn judge_origin(app: &App, origin: &HeaderValue, host: Option<&RequestedHost>) -> Result<(), Stranger> {
    if is_listed(app, origin) {
        return Ok(());
    }
    match SentOrigin::parse(origin).zip(host) {
        Some((origin, host)) if host.serves(&origin) => must_be_ours(app, Some(host)),
        _ => Err(Stranger::Origin),
    }
}

/// On a loopback address, the host must be a name of that address, or that of a page in `cors.origins`: a proxy may
/// serve both under one name.
fn must_be_ours(app: &App, host: Option<&RequestedHost>) -> Result<(), Stranger> {
    let is_ours = host.is_none_or(|host| {
        host.is_ours(app.is_on_loopback(), &app.live().server.hosts)
            || host.origins().iter().flatten().any(|origin| is_listed(app, origin))
    });
    if is_ours { Ok(()) } else { Err(Stranger::Host) }
}

fn is_listed(app: &App, origin: &HeaderValue) -> bool {
    app.live().cors.origins.iter().any(|allowed| allowed.allows(origin))
}

/// Whether a request without an Origin has what browsers send with every request, and pages cannot leave out.
fn is_of_browser(headers: &HeaderMap) -> bool {
    let is_mozilla = |agent: &HeaderValue| agent.as_bytes().starts_with(b"Mozilla/");
    headers.contains_key(ACCEPT_LANGUAGE)
        || headers.contains_key("sec-fetch-site")
        || headers.get(USER_AGENT).is_some_and(is_mozilla)
}

fn note(app: &App, headers: &HeaderMap, host: Option<&RequestedHost>, stranger: &Stranger) {
    app.metrics.refused(Code::Forbidden);
    if app.refusal_lines.check().is_err() {
        return;
    }
    let text = |name| headers.get(name).map_or("none".into(), |value| String::from_utf8_lossy(value.as_bytes()));
    let origin = text(ORIGIN);
    // Its query may have a token.
    let referer = headers.get(REFERER).and_then(referring_page::origin);
    let referer = referer.map_or("none".into(), |referer| String::from_utf8_lossy(referer.as_bytes()).into_owned());
    let host = host.map_or_else(|| "none".to_owned(), ToString::to_string);
    match stranger {
        Stranger::Origin => {
            tracing::info!(?origin, ?referer, ?host, "origin refused: it is not the host's, nor one of cors.origins")
        }
        Stranger::Host => tracing::info!(
            ?origin,
            ?host,
            "host refused: it is no name of this loopback address, nor one of server.hosts, nor that of a proxy in server.trusted-proxies"
        ),
    }
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let body = format!(r#"{{"code":{FORBIDDEN},"message":"{message}"}}"#);
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
