//! Health, readiness, metrics, shutdown, proxies and reload.

use std::time::Duration;

use serde_json::json;
use sockeye::{Config, Server};
use tokio::net::TcpListener;

use crate::{
    client::Client,
    harness::{TestServer, get, soon},
};

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_served_on_a_separate_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = listener.local_addr().unwrap();
    let server =
        TestServer::with(|config| config.limits.events_per_second = 2, |server| server.metrics_on(listener)).await;
    let mut ada = Client::named(server.address, "Ada").await;
    ada.done("send-message", json!({ "text": "counted" })).await;
    ada.refused("join-room", json!({})).await;
    for _ in 0..20 {
        ada.ask("invented-name", json!({})).await;
    }
    drop(Client::named(server.address, "Bob").await);
    let must_say = [
        "sockeye_connects_total 2",
        "sockeye_events_total{event=\"send-message\",outcome=\"ok\"} 1",
        "sockeye_events_total{event=\"join-room\",outcome=\"bad-payload\"} 1",
        "sockeye_events_total{event=\"unknown\",outcome=\"rate-limited\"}",
        "sockeye_handler_seconds_count{event=\"send-message\"} 1",
        "sockeye_limited_total{limit=\"events-per-second\"}",
        "sockeye_commit_batch_size_bucket",
        "sockeye_commit_seconds_count",
        "sockeye_deliveries_total",
        "sockeye_queued_bytes 0",
        "sockeye_largest_queue_bytes 0",
        "sockeye_connections 1",
        "sockeye_away 1",
    ];
    // The disconnect is counted when the server notices it.
    let mut text = String::new();
    let all = async {
        while !must_say.iter().all(|line| text.contains(line)) {
            text = get(metrics, "/metrics", &[]).await.body;
        }
    };
    if tokio::time::timeout(Duration::from_secs(10), all).await.is_err() {
        let missing: Vec<_> = must_say.iter().filter(|line| !text.contains(**line)).collect();
        panic!("{missing:?} is missing in\n{text}");
    }
    assert!(!text.contains("invented-name"), "a client must not make labels");
    assert_eq!(server.get("/metrics", &[]).await.status, 404, "never on the public listener");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_refuses_new_clients_notifies_the_others_and_loses_nothing() {
    let server = TestServer::configured(|config| config.server.drain = Duration::from_secs(3)).await;
    let address = server.address;
    assert_eq!(server.get("/health", &[]).await.status, 200);
    assert_eq!(server.get("/ready", &[]).await.status, 200);
    let mut ada = Client::named(address, "Ada").await;
    let mut bob = Client::named(address, "Bob").await;
    let stopping = tokio::spawn(server.stop());
    let closing = ada.event("server-closing").await;
    assert!(closing["reconnectInMs"].as_u64().unwrap() <= 3_000, "{closing}");
    assert_eq!(get(address, "/health", &[]).await.status, 200, "the process is well");
    assert_eq!(get(address, "/ready", &[]).await.status, 503);
    let refused = get(address, "/socket.io/?EIO=4&transport=polling", &[]).await;
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after: 1"));
    assert_eq!(Client::open(address, "", &[]).await.err(), Some(503));
    let last = ada.done("send-message", json!({ "text": "last words" })).await;
    assert_eq!(bob.event("message-saved").await["message"]["id"], last["id"]);
    // The connection is dropped without DISCONNECT, so an official client reconnects by itself.
    ada.closed().await;
    bob.closed().await;
    assert!(ada.kept("disconnect").is_empty());
    let data = soon(stopping).await.unwrap();
    let server = TestServer::on(data, |_| (), |server| server).await;
    let mut ada = Client::named(server.address, "Ada").await;
    let page = ada.done("load-messages", json!({ "room": "lobby" })).await;
    assert_eq!(page["messages"][0]["id"], last["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_at_once_without_clients() {
    let server = TestServer::configured(|config| config.server.drain = Duration::from_secs(600)).await;
    let ada = Client::named(server.address, "Ada").await;
    let stopping = tokio::spawn(server.stop());
    drop(ada);
    soon(stopping).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_does_not_delay_the_shutdown() {
    let server = TestServer::configured(|config| {
        config.limits.events_per_second = 0;
        config.server.drain = Duration::from_millis(100);
    })
    .await;
    let mut frozen = Client::named(server.address, "Frozen").await;
    let mut ada = Client::named(server.address, "Ada").await;
    frozen.done("list-rooms", json!({})).await;
    let text = "x".repeat(500_000);
    for _ in 0..40 {
        // More than the socket buffers hold, so that the server's write to this client blocks.
        ada.ask("message", json!(text)).await;
    }
    soon(server.stop()).await;
    drop(frozen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_supplies_the_address_and_host_of_a_client() {
    let server = TestServer::configured(|config| {
        config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.limits.sockets_per_address = 1;
    })
    .await;
    for address in ["203.0.113.1", "203.0.113.2"] {
        let headers =
            [("X-Forwarded-For", address), ("X-Forwarded-Host", "chat.example"), ("Origin", "https://chat.example")];
        let mut client = Client::open(server.address, "", &headers).await.unwrap();
        client.connect("", &json!({})).await.expect("one socket for each address");
        let mut other = Client::open(server.address, "", &headers).await.unwrap();
        assert_eq!(other.connect("", &json!({})).await, Err("rate-limited".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_server_reloads_limits_and_names_settings_that_need_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.store.path = folder.path().to_owned();
    config.server.drain = Duration::ZERO;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(config.clone()).open().unwrap();
    let reloader = server.reloader();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(listener, axum::Router::new(), async { drop(stopped.await) }));
    let mut ada = Client::named(address, "Ada").await;
    ada.done("join-room", json!({ "room": "tea" })).await;

    config.limits.rooms_per_user = 1;
    config.presence.grace = Duration::from_secs(1);
    let changes = reloader.reload(&config).unwrap();
    assert_eq!((changes.made, changes.waiting), (vec!["limits.rooms-per-user".into()], vec!["presence.grace".into()]));
    assert_eq!(ada.refused("join-room", json!({ "room": "news" })).await, "forbidden");

    config.store.readers = 0;
    config.limits.rooms_per_user = 9;
    assert!(reloader.reload(&config).is_err());
    assert_eq!(ada.refused("join-room", json!({ "room": "news" })).await, "forbidden", "nothing changed");
    drop(stop);
    soon(serving).await.unwrap().unwrap();
}
