//! The argument and the refusal of an application's own middleware.

use std::{net::IpAddr, sync::Arc};

use serde_json::{Value as Json, json};

use crate::{
    auth::Identity,
    engine::{Handshake, Socket},
    error::{Code, Error},
    input,
    model::User,
};

/// A client that asks to be let into a namespace.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entrant {
    /// Its user.
    pub user: User,
    /// The namespace's path; for a dynamic namespace the path that the client asked for.
    pub namespace: Arc<str>,
    /// The `auth` of CONNECT; null where there was none.
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
            // The engine took only valid JSON.
            auth: input::read(auth, "auth").unwrap_or_default(),
            query: handshake.query.as_str().into(),
            address: handshake.address,
        }
    }
}

/// Why a client is not let in: the message and the `data` of its `connect_error`.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// `err.message`
    pub message: String,
    /// `err.data`
    pub data: Option<Json>,
    /// Its label in the metrics.
    pub(super) code: Code,
}

impl Refusal {
    /// A refusal with this message. Without `data` the client's error has none either, as after
    /// `next(new Error(message))` in Node's middleware.
    pub fn new(message: impl Into<String>, data: impl Into<Option<Json>>) -> Self {
        Self { message: message.into(), data: data.into(), code: Code::Forbidden }
    }
}

/// The message is the code: clients of Engine.IO 3 get no `data`, and can compare the message.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = error.code();
        let data = json!({ "code": code, "message": error.to_string() });
        Self { message: code.as_str().to_owned(), data: Some(data), code }
    }
}
