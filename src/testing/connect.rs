//! Connects a test client: its `auth`, query and headers.

use std::net::SocketAddr;

use http::{HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::json;

use super::{connect_error::ConnectError, connect_options::ConnectOptions, test_client::TestClient};
use crate::io::Io;

/// A client that is to connect: see [`TestServer::client`](super::TestServer::client).
#[derive(Debug, Clone)]
#[must_use = "nothing happens without `connect`"]
pub struct Connect(ConnectOptions);

impl Connect {
    pub(super) fn new(address: SocketAddr, path: &str, io: Io, namespace: &str) -> Self {
        let namespace = if namespace.starts_with('/') { namespace.to_owned() } else { format!("/{namespace}") };
        let (path, auth) = (path.to_owned(), json!({}));
        Self(ConnectOptions { address, path, io, namespace, auth, query: Vec::new(), headers: Vec::new() })
    }

    /// The `auth` of the client's options, such as `json!({ "token": "..." })`.
    ///
    /// # Panics
    ///
    /// If JSON cannot express it, or it is not an object.
    pub fn auth(mut self, auth: impl Serialize) -> Self {
        self.0.auth = serde_json::to_value(auth).expect("auth is JSON");
        assert!(self.0.auth.is_object(), "auth must be an object, not {}", self.0.auth);
        self
    }

    /// Adds a parameter to the query of the client's options.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.0.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a header to the request that opens the WebSocket, such as a cookie.
    ///
    /// # Panics
    ///
    /// If HTTP does not allow it.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a header's name");
        self.0.headers.push((name, HeaderValue::try_from(value).expect("a header's value")));
        self
    }

    /// Connects, and waits until the server has let the client in or refused it.
    ///
    /// # Panics
    ///
    /// If the server does neither within [`PATIENCE`](super::PATIENCE).
    pub async fn connect(self) -> Result<TestClient, ConnectError> {
        let (session, joined) = self.0.open(None).await?;
        Ok(TestClient::new(self.0, session, joined))
    }
}
