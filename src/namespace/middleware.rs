//! What an application's own middleware is asked, and how it says no.

use std::{net::IpAddr, sync::Arc};

use serde_json::{Value as Json, json};

use crate::{
    auth::Identity,
    engine::{Handshake, Socket},
    error::{Code, Error},
    input,
    model::User,
};

/// A client that wants to be let into a namespace.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entrant {
    /// Who it is.
    pub user: User,
    /// The namespace's path; of a dynamic namespace the path it asked for.
    pub namespace: Arc<str>,
    /// What CONNECT carried; null where it carried nothing.
    pub auth: Json,
    /// The query of the request that opened the connection.
    pub query: Arc<str>,
    /// Where it comes from.
    pub address: Option<IpAddr>,
}

impl Entrant {
    pub(super) fn new(identity: &Identity, inner: &Socket, auth: &str, handshake: &Handshake) -> Self {
        Self {
            user: identity.user.clone(),
            namespace: inner.namespace.clone(),
            // It was taken as JSON.
            auth: input::read(auth, "auth").unwrap_or_default(),
            query: handshake.query.as_str().into(),
            address: handshake.address,
        }
    }
}

/// Why a client is not let in: its `connect_error` has this message, and this as `data` where there is any.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// `err.message`
    pub message: String,
    /// `err.data`
    pub data: Option<Json>,
    /// What it counts as.
    pub(super) code: Code,
}

impl Refusal {
    /// With a message and data of one's own, or `None`: then the client's error has no `data`, as where Node's
    /// middleware calls `next(new Error(message))`.
    pub fn new(message: impl Into<String>, data: impl Into<Option<Json>>) -> Self {
        Self { message: message.into(), data: data.into(), code: Code::Forbidden }
    }
}

/// The message is the code, so that clients which know no `data` can switch on it.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = error.code();
        let data = json!({ "code": code, "message": error.to_string() });
        Self { message: code.as_str().to_owned(), data: Some(data), code }
    }
}
