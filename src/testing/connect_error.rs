//! How a test client is refused.

use serde_json::Value;

/// Why a client was not let in: what `connect_error` is to a client of Socket.IO.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("connect_error: {message}")]
#[non_exhaustive]
pub struct ConnectError {
    /// `err.message`; where the server refused the HTTP request, its status and body.
    pub message: String,
    /// `err.data`
    pub data: Option<Value>,
}
