//! A server on a free port of this machine.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use serde::Serialize;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{connect::Connect, connect_error::ConnectError, soon, store_folder::StoreFolder, test_client::TestClient};
use crate::{
    config::Config,
    error::{Error, Result},
    io::Io,
    server::Server,
};

/// Maximum of `server.drain`, so that [`TestServer::stop`] does not wait long for clients to disconnect.
const DRAIN: Duration = Duration::from_millis(100);

/// A running server on a free port of 127.0.0.1. Dropping it shuts it down without waiting.
#[derive(Debug)]
#[must_use = "the server ends with it"]
pub struct TestServer {
    address: SocketAddr,
    path: String,
    io: Io,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<()>>,
}

impl TestServer {
    /// Starts a server. One with the chat keeps its database in a temporary folder, unless `store.path` was set; and
    /// `server.drain` is at most 100 ms, so that a test ends soon.
    ///
    /// # Panics
    ///
    /// If it cannot start, as with wrong settings.
    pub async fn start(server: Server) -> Self {
        Self::start_with(server, Router::new()).await
    }

    /// Starts a server with the application's own routes beside it, as [`Server::serve`] takes them.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub async fn start_with(mut server: Server, router: Router) -> Self {
        let folder = StoreFolder::new();
        let config = server.config_mut();
        if config.store.path == Config::default().store.path {
            config.store.path = folder.path().to_owned();
        }
        config.server.drain = config.server.drain.min(DRAIN);
        let path = config.server.path().to_owned();
        let io = server.io();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel();
        let server = server.open().unwrap_or_else(|error| panic!("the server cannot start: {}", reason(&error)));
        let serving = tokio::spawn(async move {
            // Dropping the sender stops the server too.
            let served = server.serve(listener, router, async { drop(stopped.await) }).await;
            drop(folder);
            served
        });
        Self { address, path, io, stop, serving }
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its root, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The handle of the server.
    pub fn io(&self) -> &Io {
        &self.io
    }

    /// Connects a client to a namespace. An error is what `connect_error` is to a client of Socket.IO.
    pub async fn connect(&self, namespace: &str) -> Result<TestClient, ConnectError> {
        self.client(namespace).connect().await
    }

    /// Connects a client with this `auth`, which must be an object in JSON. Errors as with [`Self::connect`].
    pub async fn connect_with(&self, namespace: &str, auth: impl Serialize) -> Result<TestClient, ConnectError> {
        self.client(namespace).auth(auth).connect().await
    }

    /// A client of a namespace that is not yet connected, to give it headers or a query.
    pub fn client(&self, namespace: &str) -> Connect {
        Connect::new(self.address, &self.path, self.io.clone(), namespace)
    }

    /// Shuts the server down, as SIGTERM does, and waits until it has closed.
    ///
    /// # Panics
    ///
    /// If the server failed.
    pub async fn stop(self) {
        drop(self.stop);
        let served = soon("the shutdown", self.serving).await.expect("the server does not panic");
        served.unwrap_or_else(|error| panic!("the server failed: {}", reason(&error)));
    }
}

/// The error with its cause, which [`Error`] does not show to clients.
fn reason(error: &Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(" ({cause})"));
    format!("{error}{}", cause.unwrap_or_default())
}
