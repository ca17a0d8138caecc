//! The checks of every request of a client. They are the same for a WebSocket that is accepted before hyper
//! (`first_read`), for long polling, WebSockets and upgrades through hyper (`socket_io`), and for plain WebSocket
//! (`plain_websocket`).
//!
//! 1. origin and host (`origin_check`);
//! 2. no new connection while the server is closing;
//! 3. transport, session, method, version of the protocol, limits, and the headers of a WebSocket handshake
//!    (`engine::verify`).

use axum::response::{IntoResponse, Response};
use http::{
    Request, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

use super::{
    origin_check::{self, ForeignRequest},
    requested_host::RequestedHost,
};
use crate::{
    app::App,
    engine::{self, ClientAddress, RequestHead, VerifiedRequest},
};

/// Engine.IO's error code "Forbidden" (<https://github.com/socketio/engine.io-protocol>).
const FORBIDDEN: u8 = 4;
/// The message while the server is closing.
const CLOSING: &str = "The server is closing";

/// Why a request is refused.
pub(super) enum Rejection {
    /// The origin or the host is not allowed.
    Foreign(ForeignRequest),
    /// The server is closing.
    Closing,
    /// Engine.IO refuses it.
    Engine(engine::RefusedRequest),
}

/// Checks a request under the path of Socket.IO.
pub(super) fn check(
    app: &App,
    head: &RequestHead<'_>,
    host: Option<&RequestedHost>,
) -> Result<VerifiedRequest, Rejection> {
    origin_check::of_client(app, head, host).map_err(Rejection::Foreign)?;
    if app.is_draining() && !engine::names_a_session(head.uri) {
        return Err(Rejection::Closing);
    }
    engine::verify(&app.engine, head).map_err(Rejection::Engine)
}

/// Checks the handshake of a plain WebSocket. It has no session, so its query is not searched for one.
pub(super) fn check_plain(
    app: &App,
    head: &RequestHead<'_>,
    host: Option<&RequestedHost>,
) -> Result<VerifiedRequest, Rejection> {
    origin_check::of_client(app, head, host).map_err(Rejection::Foreign)?;
    if app.is_draining() {
        return Err(Rejection::Closing);
    }
    engine::verify_plain(&app.engine, head).map_err(Rejection::Engine)
}

impl Rejection {
    /// The response to the request. Counts the refusal, and logs it if the page is foreign.
    pub(super) fn response<B>(self, app: &App, request: &Request<B>) -> Response {
        if let Some(observers) = app.engine.observers() {
            let (code, message) = self.code_and_message();
            let address = request.extensions().get::<ClientAddress>().map(|address| address.0);
            observers.refused(request, address, code, message);
        }
        match self {
            Self::Foreign(foreign) => {
                foreign.note(app, request.headers(), request.extensions().get());
                forbid(StatusCode::FORBIDDEN, foreign.sentence()).into_response()
            }
            Self::Closing => {
                let closing = forbid(StatusCode::SERVICE_UNAVAILABLE, CLOSING);
                ([(RETRY_AFTER, "1")], closing).into_response()
            }
            Self::Engine(refused) => refused.response(&app.metrics),
        }
    }

    fn code_and_message(&self) -> (u8, &'static str) {
        match self {
            Self::Foreign(foreign) => (FORBIDDEN, foreign.sentence()),
            Self::Closing => (FORBIDDEN, CLOSING),
            Self::Engine(refused) => refused.code_and_message(),
        }
    }
}

fn forbid(status: StatusCode, message: &str) -> impl IntoResponse + use<> {
    let body = format!(r#"{{"code":{FORBIDDEN},"message":"{message}"}}"#);
    (status, [(CONTENT_TYPE, "application/json")], body)
}
