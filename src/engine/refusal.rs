//! Why a request of a client is refused, and the response that says so.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION},
};
use serde::Serialize;

use crate::metrics::Metrics;

/// The version of WebSocket that a refused client is told to use (RFC 6455, section 4.4).
pub(super) const WEBSOCKET_VERSION: &str = "13";

/// Why a request is refused; most reasons are Engine.IO's own
/// (<https://socket.io/docs/v4/server-api/#enginefireconnection_error>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The transport is neither `polling` nor `websocket`.
    UnknownTransport,
    /// There is no session with this id.
    UnknownSession,
    /// A connection is opened with GET only.
    BadMethod,
    /// A session is polled with GET and POST only.
    BadMethodOfSession,
    /// Anything else that is wrong with a request.
    BadRequest,
    /// A plain WebSocket of another version.
    UnsupportedWebSocket,
    /// Engine.IO 3, where `server.allow-eio3` is off.
    UnsupportedProtocol,
    /// The limit of this name is reached.
    Full(&'static str),
}

impl Refusal {
    /// The status, Engine.IO's code, and Engine.IO's message.
    fn parts(self) -> (StatusCode, u8, &'static str) {
        match self {
            Self::UnknownTransport => (StatusCode::BAD_REQUEST, 0, "Transport unknown"),
            Self::UnknownSession => (StatusCode::BAD_REQUEST, 1, "Session ID unknown"),
            Self::BadMethod => (StatusCode::BAD_REQUEST, 2, "Bad handshake method"),
            Self::BadMethodOfSession => (StatusCode::INTERNAL_SERVER_ERROR, 3, ""),
            Self::BadRequest => (StatusCode::BAD_REQUEST, 3, "Bad request"),
            Self::UnsupportedWebSocket => (StatusCode::UPGRADE_REQUIRED, 3, ""),
            Self::Full(_) => (StatusCode::SERVICE_UNAVAILABLE, 4, "Too many connections"),
            Self::UnsupportedProtocol => (StatusCode::BAD_REQUEST, 5, "Unsupported protocol version"),
        }
    }

    /// The answer to a request of long polling: JSON.
    pub(super) fn as_json(self) -> Response {
        let (status, code, message) = self.parts();
        (status, axum::Json(RefusalBody { code, message })).into_response()
    }

    /// The answer to a WebSocket handshake of Engine.IO: a bare text, after which the TCP connection is closed.
    fn as_text(self) -> Response {
        let (status, _, message) = self.parts();
        let mut response = (status, [(CONTENT_TYPE, "text/html")], message).into_response();
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    /// An answer without a body.
    fn as_status(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.parts().0;
        response
    }
}

/// The body of a refused request of long polling.
#[derive(Serialize)]
struct RefusalBody {
    code: u8,
    message: &'static str,
}

/// A refused request, and the form in which its client is told.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) form: Form,
}

/// The form of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Text,
    Status,
}

impl Refused {
    /// The response to the request, and the count of the limit that was reached.
    pub(crate) fn response(self, metrics: &Metrics) -> Response {
        let Self { refusal, form } = self;
        let mut response = match (form, refusal) {
            (_, Refusal::BadMethodOfSession) | (Form::Status, _) => refusal.as_status(),
            (Form::Json, _) => refusal.as_json(),
            (Form::Text, _) => refusal.as_text(),
        };
        match refusal {
            Refusal::Full(limit) => {
                metrics.limited(limit);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Refusal::UnsupportedWebSocket => {
                let version = HeaderValue::from_static(WEBSOCKET_VERSION);
                response.headers_mut().insert(SEC_WEBSOCKET_VERSION, version);
            }
            _ => {}
        }
        response
    }
}
