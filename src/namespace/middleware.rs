//! What an application's connect middleware receives (`Entrant`) and returns to refuse a client (`Refusal`).

use std::{net::IpAddr, sync::Arc};

use serde_json::{Value as Json, json};

use crate::{
    auth::Identity,
    engine::{Handshake, Socket},
    error::{Code, Error},
    input,
    model::User,
};

/// A client that asks to join a namespace, as connect middleware sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entrant {
    /// The client's user.
    pub user: User,
    /// The namespace's path; for a dynamic namespace the path that the client asked for.
    pub namespace: Arc<str>,
    /// The `auth` of CONNECT; null if the client sent none.
    pub auth: Json,
    /// The query of the request that opened the connection.
    pub query: Arc<str>,
    /// The client's address.
    pub address: Option<IpAddr>,
}

impl Entrant {
    pub(super) fn new(identity: &Identity, inner: &Socket, auth: &str, handshake: &Handshake) -> Self {
        Self {
            user: identity.user.clone(),
            namespace: inner.namespace.clone(),
            // Fails only if the client sent no `auth`: the engine has already refused invalid JSON.
            auth: input::read(auth, "auth").unwrap_or_default(),
            query: handshake.query.as_str().into(),
            address: handshake.address,
        }
    }
}

/// Why a client may not join a namespace: the message and the `data` of its `connect_error`.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// `err.message`
    pub message: String,
    /// `err.data`
    pub data: Option<Json>,
    /// The error code. It labels the refusal in the metrics.
    pub(super) code: Code,
}

impl Refusal {
    /// A refusal with this message. Without `data`, the client's `connect_error` has no `data`, as after
    /// `next(new Error(message))` in Node's middleware.
    pub fn new(message: impl Into<String>, data: impl Into<Option<Json>>) -> Self {
        Self { message: message.into(), data: data.into(), code: Code::Forbidden }
    }
}

/// The message is the error code: clients of Engine.IO 3 receive only the message, and can compare it with a code.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = error.code();
        let data = json!({ "code": code, "message": error.to_string() });
        Self { message: code.as_str().to_owned(), data: Some(data), code }
    }
}
