//! The errors with which the engine refuses clients' requests, and the responses to them.

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

/// The supported version of WebSocket. The response to a client with another version contains it (RFC 6455, section
/// 4.4).
pub(super) const WEBSOCKET_VERSION: &str = "13";

/// Engine.IO's code for a request that the application refuses.
pub(super) const FORBIDDEN: u8 = 4;

/// Why a request is refused. Most errors are Engine.IO's
/// (<https://socket.io/docs/v4/server-api/#enginefireconnection_error>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestError {
    /// The transport is neither `polling` nor `websocket`.
    UnknownTransport,
    /// No session has this id.
    UnknownSession,
    /// The handshake of a new connection is not a GET.
    BadMethod,
    /// A request of a polling session is neither GET nor POST.
    BadMethodOfSession,
    /// Any other error.
    BadRequest,
    /// A plain WebSocket of a version other than 13.
    UnsupportedWebSocket,
    /// Engine.IO 3, while `server.allow-eio3` is off.
    UnsupportedProtocol,
    /// The limit with this name is reached.
    Full(&'static str),
}

impl RequestError {
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

    /// The response to a request of long polling that the application refuses, as Node's `allowRequest`.
    pub(super) fn forbidden_as_json(message: &str) -> Response {
        (StatusCode::FORBIDDEN, axum::Json(ErrorBody { code: FORBIDDEN, message })).into_response()
    }

    /// The response to a WebSocket handshake that the application refuses: status 400, as in Node.
    pub(super) fn forbidden_as_text(message: String) -> Response {
        text(StatusCode::BAD_REQUEST, message)
    }

    /// The response to a request of long polling: JSON.
    pub(super) fn as_json(self) -> Response {
        let (status, code, message) = self.parts();
        (status, axum::Json(ErrorBody { code, message })).into_response()
    }

    /// The response to a WebSocket handshake of Engine.IO: a text, after which the TCP connection is closed.
    fn as_text(self) -> Response {
        let (status, _, message) = self.parts();
        text(status, message)
    }

    /// A response without a body.
    fn as_empty(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.parts().0;
        response
    }
}

/// A text, after which the TCP connection is closed.
fn text(status: StatusCode, message: impl Into<Body>) -> Response {
    let mut response = (status, [(CONTENT_TYPE, "text/html")], message.into()).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The body of the response to a refused request of long polling.
#[derive(Serialize)]
struct ErrorBody<'a> {
    code: u8,
    message: &'a str,
}

/// The error of a refused request, and the format of its response.
#[derive(Debug)]
pub(crate) struct RefusedRequest {
    pub(super) error: RequestError,
    pub(super) format: ErrorFormat,
}

/// The format of an error response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorFormat {
    Json,
    Text,
    Empty,
}

impl RefusedRequest {
    /// Engine.IO's code and message.
    pub(crate) fn code_and_message(&self) -> (u8, &'static str) {
        let (_, code, message) = self.error.parts();
        (code, if message.is_empty() { "Bad request" } else { message })
    }

    /// Builds the response. If a limit was reached, counts the refusal in the metrics.
    pub(crate) fn response(self, metrics: &Metrics) -> Response {
        let Self { error, format } = self;
        let mut response = match (format, error) {
            (_, RequestError::BadMethodOfSession) | (ErrorFormat::Empty, _) => error.as_empty(),
            (ErrorFormat::Json, _) => error.as_json(),
            (ErrorFormat::Text, _) => error.as_text(),
        };
        match error {
            RequestError::Full(limit) => {
                metrics.limited(limit);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            RequestError::UnsupportedWebSocket => {
                let version = HeaderValue::from_static(WEBSOCKET_VERSION);
                response.headers_mut().insert(SEC_WEBSOCKET_VERSION, version);
            }
            _ => {}
        }
        response
    }
}
