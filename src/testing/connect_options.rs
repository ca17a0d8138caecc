//! What a test client connects with, the first time and again.

use std::net::SocketAddr;

use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{Error as WebSocketError, client::IntoClientRequest},
};

use super::{
    connect_error::ConnectError,
    session::{Joined, Session},
    soon,
};
use crate::io::Io;

/// The server's address, the namespace, and what the client tells the server.
#[derive(Debug, Clone)]
pub(super) struct ConnectOptions {
    pub(super) address: SocketAddr,
    pub(super) path: String,
    pub(super) io: Io,
    pub(super) namespace: String,
    pub(super) auth: Value,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

impl ConnectOptions {
    /// Opens a connection and joins the namespace; `recovery` is the session to recover and the offset.
    pub(super) async fn open(&self, recovery: Option<(&str, Option<&str>)>) -> Result<(Session, Joined), ConnectError> {
        let own = [("EIO", "4"), ("transport", "websocket"), ("recovery", "true")];
        let asked = self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let query: Vec<_> = own.into_iter().chain(asked).collect();
        // Socket.IO's client writes a space as %20.
        let query = serde_urlencoded::to_string(query).expect("texts").replace('+', "%20");
        let url = format!("ws://{}{}/?{query}", self.address, self.path);
        let mut request = url.into_client_request().expect("a URL");
        for (name, value) in &self.headers {
            request.headers_mut().append(name, value.clone());
        }
        let opened = soon("the connection", connect_async_with_config(request, None, true)).await;
        let (stream, _) = opened.map_err(|error| refused(&error))?;
        let mut auth = self.auth.clone();
        if let Some((session, offset)) = recovery {
            auth["pid"] = session.into();
            auth["offset"] = offset.into();
        }
        soon("the answer to CONNECT", Session::join(stream, &self.namespace, &auth)).await
    }
}

fn refused(error: &WebSocketError) -> ConnectError {
    let message = match error {
        WebSocketError::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            format!("{} {}", response.status(), String::from_utf8_lossy(body))
        }
        error => error.to_string(),
    };
    ConnectError { message: message.trim().to_owned(), data: None }
}
