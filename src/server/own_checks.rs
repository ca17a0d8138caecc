//! The application's functions about all clients: who a client is, whether it may open a connection, the headers of
//! responses, and observers.

use futures_util::FutureExt;
use http::HeaderMap;

use super::Server;
use crate::{
    auth::Identity,
    engine::Handshake,
    namespace::{Refusal, authenticator},
    observer::Observer,
};

impl Server {
    /// Authenticates clients with this function, in all namespaces, instead of the server's own check of tokens and
    /// names. The function may use a session cookie, an API key or a look-up in a database. It returns a
    /// [`User`](crate::User), or an [`Identity`] with the user's rooms and an expiry time, or a [`Refusal`]. It runs
    /// for each CONNECT, before all middleware. The function and the middleware together may take 30 seconds. A client
    /// that recovers its socket is not checked again: it keeps its identity until that expires. The HTTP API still uses
    /// `auth.mode` and its API keys.
    ///
    /// ```
    /// use sockeye::{Config, Refusal, Server, User, UserId};
    ///
    /// async fn user_of(session: Option<String>) -> Option<User> {
    ///     // A look-up in the store of sessions.
    /// #   User::new(UserId::parse(&session?).ok()?, "Ada").ok()
    /// }
    ///
    /// Server::bare(Config::bare()).authenticate(async |handshake| {
    ///     user_of(handshake.cookie("sid")).await.ok_or_else(|| Refusal::new("log in first", None))
    /// });
    /// ```
    #[must_use]
    pub fn authenticate<F, Fut, I>(mut self, check: F) -> Self
    where
        F: Fn(Handshake) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<I, Refusal>> + Send + 'static,
        I: Into<Identity>,
    {
        self.authenticator = Some(authenticator(check));
        self
    }

    /// Has this function say whether a connection may be opened: Node's `allowRequest`. It runs once for each new
    /// connection, after the server's own checks and before anything of it exists, and has 30 seconds. The handshake has
    /// no `auth` yet. The error is the message for the client, which gets Engine.IO's code 4 and status 403 where it
    /// polls, and status 400 for a WebSocket, as in Node; one without Socket.IO gets 403.
    ///
    /// With such a function WebSocket handshakes go through hyper, which is slower than the way past it.
    ///
    /// ```
    /// use sockeye::{Config, Server};
    ///
    /// Server::bare(Config::bare()).allow_request(async |request| match request.header("x-api-key") {
    ///     Some("secret") => Ok(()),
    ///     _ => Err("no key"),
    /// });
    /// ```
    #[must_use]
    pub fn allow_request<F, Fut, E>(mut self, check: F) -> Self
    where
        F: Fn(Handshake) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<String>,
    {
        let check = move |request| check(request).map(|checked| checked.map_err(Into::into)).boxed();
        self.hooks.allow_request = Some(Box::new(check));
        self
    }

    /// Has this function change the headers of each response to a client: to a request of long polling and to a WebSocket
    /// handshake, as the events `headers` and `initial_headers` of Node's `io.engine`. The request has a parameter `sid`
    /// unless it is the first of its connection. Refused requests are left out.
    ///
    /// ```
    /// use axum::http::HeaderValue;
    /// use sockeye::{Config, Server};
    ///
    /// Server::bare(Config::bare()).response_headers(|headers, request| {
    ///     if request.query("sid").is_none() {
    ///         headers.insert("x-served-by", HeaderValue::from_static("one"));
    ///     }
    /// });
    /// ```
    #[must_use]
    pub fn response_headers(mut self, change: impl Fn(&mut HeaderMap, &Handshake) + Send + Sync + 'static) -> Self {
        self.hooks.response_headers = Some(Box::new(change));
        self
    }

    /// Adds an observer, which is told of rooms and connections. Several are told in the order in which they were added.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.add(observer);
        self
    }
}
