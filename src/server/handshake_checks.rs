//! The checks of every request of a client, in one place for all ways in: a WebSocket that is accepted before hyper
//! (`first_read`), and through hyper long polling, a WebSocket, the upgrade of a polling connection (`socket_io`) and
//! plain WebSocket (`plain_websocket`). The ways differ only in how the bytes come and go.
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
    origin_check::{self, Foreign},
    requested_host::RequestedHost,
};
use crate::{
    app::App,
    engine::{self, RequestHead, Verified},
};

/// Engine.IO's code for a request that is forbidden, or cannot be served now
/// (<https://github.com/socketio/engine.io-protocol>).
const FORBIDDEN: u8 = 4;

/// Why a request is refused.
pub(super) enum Refused {
    /// Its origin or its host is not allowed.
    Foreign(Foreign),
    /// The server is closing.
    Closing,
    /// Engine.IO refuses it.
    Engine(engine::Refused),
}

/// Checks a request under the path of Socket.IO.
pub(super) fn check(app: &App, head: &RequestHead<'_>, host: Option<&RequestedHost>) -> Result<Verified, Refused> {
    origin_check::of_client(app, head, host).map_err(Refused::Foreign)?;
    if app.is_draining() && !engine::names_a_session(head.uri) {
        return Err(Refused::Closing);
    }
    engine::verify(&app.engine, head).map_err(Refused::Engine)
}

/// Checks the handshake of a plain WebSocket, which names no session, whatever its query says.
pub(super) fn check_plain(
    app: &App,
    head: &RequestHead<'_>,
    host: Option<&RequestedHost>,
) -> Result<Verified, Refused> {
    origin_check::of_client(app, head, host).map_err(Refused::Foreign)?;
    if app.is_draining() {
        return Err(Refused::Closing);
    }
    engine::verify_plain(&app.engine, head).map_err(Refused::Engine)
}

impl Refused {
    /// The response to the request. The refusal is counted, and that of a foreign page is logged.
    pub(super) fn response<B>(self, app: &App, request: &Request<B>) -> Response {
        match self {
            Self::Foreign(foreign) => {
                foreign.note(app, request.headers(), request.extensions().get());
                forbid(StatusCode::FORBIDDEN, foreign.sentence()).into_response()
            }
            Self::Closing => {
                let closing = forbid(StatusCode::SERVICE_UNAVAILABLE, "The server is closing");
                ([(RETRY_AFTER, "1")], closing).into_response()
            }
            Self::Engine(refused) => refused.response(&app.metrics),
        }
    }
}

fn forbid(status: StatusCode, message: &str) -> impl IntoResponse + use<> {
    let body = format!(r#"{{"code":{FORBIDDEN},"message":"{message}"}}"#);
    (status, [(CONTENT_TYPE, "application/json")], body)
}
