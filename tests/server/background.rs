//! A background task that fails makes the server unready and ends it.

use std::time::Duration;

use serde_json::json;
use sockeye::{Config, Server};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    client::Client,
    harness::{get, soon},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_task_drains_the_server_which_returns_it_as_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.store.path = folder.path().to_owned();
    // The drain waits for the clients to disconnect.
    config.server.drain = Duration::from_secs(600);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = Server::new(config).open().unwrap();
    let (fail, failing) = oneshot::channel::<()>();
    server.watch("billing", async move {
        failing.await.unwrap();
        panic!("the invoice has no number");
    });
    let serving = tokio::spawn(server.serve(listener, axum::Router::new(), std::future::pending()));
    let mut ada = Client::named(address, "Ada").await;
    let bob = Client::named(address, "Bob").await;
    assert_eq!(get(address, "/ready", &[]).await.status, 200);

    fail.send(()).unwrap();
    ada.event("server-closing").await;
    let ready = get(address, "/ready", &[]).await;
    assert_eq!((ready.status, ready.body.as_str()), (503, "a part of the server has failed\n"));
    assert_eq!(get(address, "/health", &[]).await.status, 200, "the process answers");
    assert_eq!(Client::open(address, "", &[]).await.err(), Some(503), "nobody new is let in");
    ada.done("send-message", json!({ "text": "what was begun is finished" })).await;
    drop((ada, bob));
    let error = soon(serving).await.unwrap().unwrap_err().to_string();
    assert_eq!(error, "the server could not go on: billing panicked: the invoice has no number");
}
