//! Checks the origin and the host of a request: of a client's (long polling, WebSocket, the upgrade of a polling
//! connection, plain WebSocket; see `handshake_checks`) and of a call of the HTTP API (see `gate`).

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

/// Why a request is refused before its sender is asked for credentials.
pub(super) enum Foreign {
    /// Its page is neither the server's own nor in `cors.origins`.
    Origin,
    /// It came to a loopback address under a name that is none of that address. A page of an attacker can have such a
    /// name (DNS rebinding).
    Host,
}

/// Checks the request of a client.
pub(super) fn of_client(app: &App, head: &RequestHead<'_>, host: Option<&RequestedHost>) -> Result<(), Foreign> {
    let headers = head.headers;
    let may_connect = match headers.get(ORIGIN) {
        Some(origin) => return check_origin(app, origin, host),
        // Browsers send no Origin where they read from what they take for the page's own host. Other clients may call
        // the server by any name.
        None if is_of_browser(headers) => {
            check_host(app, host)?;
            match referring_page::of(headers, || engine::asks_for_jsonp(head.uri)) {
                Page::Own | Page::None => true,
                Page::Other(origin) => origin.is_some_and(|origin| check_origin(app, &origin, host).is_ok()),
            }
        }
        None => true,
    };
    if may_connect { Ok(()) } else { Err(Foreign::Origin) }
}

/// Checks a call of the HTTP API. A backend with a key may call the server by any name, and where tokens are required,
/// so may a client with a token: a foreign page has neither.
pub(super) fn of_call(app: &App, headers: &HeaderMap, host: Option<&RequestedHost>) -> Result<(), Foreign> {
    let has_authorization = headers.contains_key(AUTHORIZATION);
    let has_token = app.config.auth.mode == AuthMode::Jwt && has_authorization;
    match headers.get(ORIGIN) {
        Some(origin) => check_origin(app, origin, host),
        None if has_token || has_key(app, headers) => Ok(()),
        None if is_of_browser(headers) || !has_authorization => check_host(app, host),
        None => Ok(()),
    }
}

/// Checks that the origin is in `cors.origins`, or the server's own.
fn check_origin(app: &App, origin: &HeaderValue, host: Option<&RequestedHost>) -> Result<(), Foreign> {
    if is_listed(app, origin) {
        return Ok(());
    }
    match SentOrigin::parse(origin).zip(host) {
        Some((origin, host)) if host.serves(&origin) => check_host(app, Some(host)),
        _ => Err(Foreign::Origin),
    }
}

/// Checks, on a loopback address, that the host is a name of that address, one of `server.hosts`, or the host of a page
/// in `cors.origins`: a proxy may serve both under one name.
fn check_host(app: &App, host: Option<&RequestedHost>) -> Result<(), Foreign> {
    let is_ours = host.is_none_or(|host| {
        host.is_ours(app.is_on_loopback(), &app.live().server.hosts)
            || host.origins().iter().flatten().any(|origin| is_listed(app, origin))
    });
    if is_ours { Ok(()) } else { Err(Foreign::Host) }
}

/// Whether the origin is in `cors.origins`.
fn is_listed(app: &App, origin: &HeaderValue) -> bool {
    app.live().cors.origins.iter().any(|allowed| allowed.allows(origin))
}

/// Whether a request without an Origin has a header that browsers send with every request, and that pages cannot leave
/// out.
fn is_of_browser(headers: &HeaderMap) -> bool {
    let is_mozilla = |agent: &HeaderValue| agent.as_bytes().starts_with(b"Mozilla/");
    headers.contains_key(ACCEPT_LANGUAGE)
        || headers.contains_key("sec-fetch-site")
        || headers.get(USER_AGENT).is_some_and(is_mozilla)
}

impl Foreign {
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
        // Without its path and query: a token may be in them.
        let referer = headers.get(REFERER).and_then(referring_page::origin);
        let referer = referer.map_or("none".into(), |referer| String::from_utf8_lossy(referer.as_bytes()).into_owned());
        let host = host.map_or_else(|| "none".to_owned(), ToString::to_string);
        match self {
            Foreign::Origin => {
                tracing::info!(
                    ?origin,
                    ?referer,
                    ?host,
                    "origin refused: it is not the host's, nor one of cors.origins"
                )
            }
            Foreign::Host => tracing::info!(
                ?origin,
                ?host,
                "host refused: it is no name of this loopback address, nor one of server.hosts, nor that of a proxy in server.trusted-proxies"
            ),
        }
    }
}
