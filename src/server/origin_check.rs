//! Checks the origin and the host of requests: those of clients (see `handshake_checks`) and those to the HTTP API (see
//! `gate`).

use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_LANGUAGE, AUTHORIZATION, ORIGIN, REFERER, USER_AGENT},
};

use super::{
    referring_page::{self, Page},
    requested_host::RequestedHost,
};
use crate::{
    app::App,
    config::{AuthMode, SentOrigin},
    engine::{self, RequestHead},
    error::Code,
    http::has_key,
};

/// Why a request is refused before its credentials are checked.
pub(super) enum ForeignRequest {
    /// The origin is neither the server's own nor in `cors.origins`.
    Origin,
    /// The server listens on a loopback address, and the host is not a name of that address. An attacker's page could
    /// use such a name (DNS rebinding).
    Host,
}

/// Checks the request of a client.
pub(super) fn of_client(app: &App, head: &RequestHead<'_>, host: Option<&RequestedHost>) -> Result<(), ForeignRequest> {
    let headers = head.headers;
    let may_connect = match headers.get(ORIGIN) {
        Some(origin) => return check_origin(app, origin, host),
        // Browsers send no Origin with a GET to the page's own host. Clients that are not browsers may use any name for
        // the server.
        None if is_of_browser(headers) => {
            check_host(app, host)?;
            match referring_page::of(headers, || engine::asks_for_jsonp(head.uri)) {
                Page::Own | Page::None => true,
                Page::Other(origin) => origin.is_some_and(|origin| check_origin(app, &origin, host).is_ok()),
            }
        }
        None => true,
    };
    if may_connect { Ok(()) } else { Err(ForeignRequest::Origin) }
}

/// Checks a request to the HTTP API. A backend with a key may use any name for the server. So may a client with a token
/// if tokens are required. A foreign page has neither.
pub(super) fn of_call(app: &App, headers: &HeaderMap, host: Option<&RequestedHost>) -> Result<(), ForeignRequest> {
    let has_authorization = headers.contains_key(AUTHORIZATION);
    let has_token = app.config.auth.mode == AuthMode::Jwt && has_authorization;
    match headers.get(ORIGIN) {
        Some(origin) => check_origin(app, origin, host),
        None if has_token || has_key(app, headers) => Ok(()),
        None if is_of_browser(headers) || !has_authorization => check_host(app, host),
        None => Ok(()),
    }
}

/// Checks that the origin is in `cors.origins` or is the server's own.
fn check_origin(app: &App, origin: &HeaderValue, host: Option<&RequestedHost>) -> Result<(), ForeignRequest> {
    if is_listed(app, origin) {
        return Ok(());
    }
    match SentOrigin::parse(origin).zip(host) {
        Some((origin, host)) if host.serves(&origin) => check_host(app, Some(host)),
        _ => Err(ForeignRequest::Origin),
    }
}

/// If the server listens on a loopback address, checks that the host is a name of that address, is in `server.hosts`,
/// or is the host of an origin in `cors.origins`: a proxy may serve that page and the server under one name.
fn check_host(app: &App, host: Option<&RequestedHost>) -> Result<(), ForeignRequest> {
    let is_ours = host.is_none_or(|host| {
        host.is_ours(app.is_on_loopback(), &app.live().server.hosts)
            || host.origins().iter().flatten().any(|origin| is_listed(app, origin))
    });
    if is_ours { Ok(()) } else { Err(ForeignRequest::Host) }
}

/// Whether the origin is in `cors.origins`.
fn is_listed(app: &App, origin: &HeaderValue) -> bool {
    app.live().cors.origins.iter().any(|allowed| allowed.allows(origin))
}

/// Whether a request has a header that browsers send with every request and that pages cannot suppress.
fn is_of_browser(headers: &HeaderMap) -> bool {
    let is_mozilla = |agent: &HeaderValue| agent.as_bytes().starts_with(b"Mozilla/");
    headers.contains_key(ACCEPT_LANGUAGE)
        || headers.contains_key("sec-fetch-site")
        || headers.get(USER_AGENT).is_some_and(is_mozilla)
}

impl ForeignRequest {
    /// The sentence for the client.
    pub(super) fn sentence(&self) -> &'static str {
        match self {
            Self::Origin => "Origin not allowed (cors.origins)",
            Self::Host => "Host not allowed (server.hosts)",
        }
    }

    /// Counts and logs the refusal.
    pub(super) fn note(&self, app: &App, headers: &HeaderMap, host: Option<&RequestedHost>) {
        app.metrics.refused(Code::Forbidden);
        if app.refusal_lines.check().is_err() {
            return;
        }
        let text = |name| headers.get(name).map_or("none".into(), |value| String::from_utf8_lossy(value.as_bytes()));
        let origin = text(ORIGIN);
        // Without path and query, which may contain a token.
        let referer = headers.get(REFERER).and_then(referring_page::origin);
        let referer = referer.map_or("none".into(), |referer| String::from_utf8_lossy(referer.as_bytes()).into_owned());
        let host = host.map_or_else(|| "none".to_owned(), ToString::to_string);
        match self {
            ForeignRequest::Origin => {
                tracing::info!(
                    ?origin,
                    ?referer,
                    ?host,
                    "origin refused: it is neither that of the host nor in cors.origins"
                )
            }
            ForeignRequest::Host => tracing::info!(
                ?origin,
                ?host,
                "host refused: it is neither a name of this loopback address nor in server.hosts, and did not come from a proxy in server.trusted-proxies"
            ),
        }
    }
}
