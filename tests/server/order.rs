//! The order in which a socket receives events and acknowledgements.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use sockeye::{ClientEvent, Ctx, Events, Result};
use tokio::sync::Semaphore;

use crate::{
    client::{Client, Heard},
    harness::{TestServer, get, soon},
};

#[derive(serde::Deserialize)]
struct Slow {}

impl ClientEvent for Slow {
    const NAME: &'static str = "slow";
}

#[derive(serde::Deserialize)]
struct Quick {}

impl ClientEvent for Quick {
    const NAME: &'static str = "quick";
}

/// A reply whose serialization panics.
struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("as a bug would")
    }
}

/// Held until the test releases it.
#[derive(Clone)]
struct Gate {
    reached: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn closed() -> Self {
        Self { reached: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }

    async fn pass(self) {
        self.reached.add_permits(1);
        self.open.acquire().await.unwrap().forget();
    }

    async fn reached(&self) {
        soon(self.reached.acquire()).await.unwrap().forget();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_event_starts_after_the_first_has_finished() {
    let gate = Gate::closed();
    let begun = Arc::new(AtomicUsize::new(0));
    let (held, counted) = (gate.clone(), begun.clone());
    let server = TestServer::with(
        |_| (),
        |server| {
            server
                .event(move |_: Ctx, _: Slow| {
                    let gate = held.clone();
                    async move {
                        gate.pass().await;
                        Ok("slow")
                    }
                })
                .event(move |_: Ctx, _: Quick| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    async { Ok("quick") }
                })
        },
    )
    .await;
    let mut ada = Client::named(server.address, "Ada").await;
    let slow = ada.send("slow", json!({})).await;
    let quick = ada.send("quick", json!({})).await;
    gate.reached().await;
    // The server has read both events, and could have started the second one.
    for _ in 0..20 {
        ada.fence().await;
        Client::guest(server.address).await.done("list-users", json!({})).await;
    }
    assert_eq!(begun.load(Ordering::SeqCst), 0, "the second has not begun");
    gate.open.add_permits(1);
    let first = ada.wait(|heard| matches!(heard, Heard::Ack { .. })).await;
    assert_eq!(first, Heard::Ack { id: slow, reply: json!({ "success": true, "data": "slow" }) });
    assert_eq!(ada.reply(quick).await["data"], "quick");
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_sent_right_after_connect_wait_for_the_connection_handler() {
    let gate = Gate::closed();
    let held = gate.clone();
    let events = Events::new()
        .connection(move |_| {
            let gate = held.clone();
            async move {
                gate.pass().await;
                Ok(())
            }
        })
        .event(|_: Ctx, _: Quick| async { Ok("quick") });
    let server = TestServer::with(|_| (), |server| server.namespace("/early", events)).await;
    let mut ada = Client::open(server.address, "", &[]).await.unwrap();
    ada.connect("/early", &json!({})).await.unwrap();
    let id = ada.send("quick", json!({})).await;
    gate.reached().await;
    ada.fence().await;
    gate.open.add_permits(1);
    assert_eq!(ada.reply(id).await["data"], "quick");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_lost_right_after_connect() {
    // When handlers were registered in the connection handler, 24 of 2,000 connections lost events.
    let server = TestServer::start().await;
    let address = server.address;
    let eight = (0..8).map(|_| {
        tokio::spawn(async move {
            for _ in 0..200 {
                let mut client = Client::open(address, "", &[]).await.unwrap();
                client.connect("", &json!({})).await.unwrap();
                client.done("typing", json!({ "room": "lobby", "typing": false })).await;
            }
        })
    });
    for client in eight.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_events_are_answered_in_the_order_they_were_sent() {
    let server = TestServer::configured(|config| config.limits.events_per_second = 0).await;
    let mut ada = Client::named(server.address, "Ada").await;
    for n in 0..1_000 {
        // Some wait for a commit, some for a read, some for neither.
        match n % 4 {
            0 | 1 => ada.send("send-message", json!({ "n": n, "room": "order" })).await,
            2 => ada.send("load-messages", json!({ "room": "order", "limit": 1 })).await,
            _ => ada.send("nonsense", json!({})).await,
        };
    }
    let mut expected = 0;
    let mut posted = Value::Null;
    while expected < 1_000 {
        let Heard::Ack { id, reply } = ada.wait(|heard| matches!(heard, Heard::Ack { .. })).await else { continue };
        assert_eq!(id, expected);
        match id % 4 {
            0 | 1 => posted = reply["data"]["body"]["n"].clone(),
            2 => assert_eq!(reply["data"]["messages"][0]["body"]["n"], posted, "a read sees the writes before it"),
            _ => assert_eq!(reply["error"]["code"], "unknown-event"),
        }
        expected += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_is_processed_after_the_join_sent_before_it() {
    let mut relay = sockeye::config::Relay::new(sockeye::config::RelayTo::Room);
    relay.field = Some("room".to_owned());
    let server = TestServer::configured(|config| {
        config.limits.events_per_second = 0;
        config.relay.insert("cursor".to_owned(), relay);
    })
    .await;
    let mut ada = Client::named(server.address, "Ada").await;
    for n in 0..50 {
        let room = json!({ "room": format!("room {n}"), "n": n });
        let join = ada.send("join-room", room.clone()).await;
        let cursor = ada.send("cursor", room.clone()).await;
        let leave = ada.send("leave-room", room.clone()).await;
        let late = ada.send("cursor", room.clone()).await;
        assert_eq!(ada.reply(join).await["success"], true);
        assert_eq!(ada.event("cursor").await["n"], n);
        assert_eq!(ada.reply(cursor).await["success"], true);
        assert_eq!(ada.reply(leave).await["success"], true);
        assert_eq!(ada.reply(late).await["error"]["code"], "forbidden");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_one_socket_share_commits() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = listener.local_addr().unwrap();
    let server =
        TestServer::with(|config| config.limits.events_per_second = 0, |server| server.metrics_on(listener)).await;
    let mut ada = Client::named(server.address, "Ada").await;
    let mut bob = Client::named(server.address, "Bob").await;
    bob.done("join-room", json!({ "room": "burst" })).await;
    let burst: Vec<_> = (0..500).map(|n| json!(["send-message", { "n": n, "room": "burst" }])).collect();
    ada.at_once(burst.iter().map(|event| format!("42{event}"))).await;
    for n in 0..500_u64 {
        let saved = bob.event("message-saved").await;
        assert_eq!(saved["message"]["body"]["n"], n);
        assert_eq!(saved["message"]["offset"], n + 1);
    }
    let text = get(metrics, "/metrics", &[]).await.body;
    let commits = text.lines().find_map(|line| line.strip_prefix("sockeye_commit_batch_size_count ")).unwrap();
    assert!(commits.parse::<u32>().unwrap() < 250, "500 messages and a few writes more in {commits} commits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_handler_is_answered_with_an_error_and_the_socket_stays_usable() -> Result<()> {
    let server = TestServer::with(
        |_| (),
        |server| {
            server
                .event(|_: Ctx, _: Slow| async { panic!("as a bug would") as Result<()> })
                .event(|_: Ctx, _: Quick| async { Ok(1) })
        },
    )
    .await;
    let mut ada = Client::named(server.address, "Ada").await;
    let reply = ada.ask("slow", json!({})).await;
    assert_eq!(reply["error"], json!({ "code": "unavailable", "message": "the server failed" }));
    assert_eq!(ada.done("quick", json!({})).await, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_whose_serialization_panics_is_an_error_and_the_socket_stays_usable() {
    let server = TestServer::with(
        |_| (),
        |server| {
            server
                .event(|_: Ctx, _: Slow| async {
                    tokio::task::yield_now().await;
                    Ok(Unwritable)
                })
                .event(|_: Ctx, _: Quick| async { Ok(1) })
        },
    )
    .await;
    let mut ada = Client::named(server.address, "Ada").await;
    let reply = ada.ask("slow", json!({})).await;
    assert_eq!(reply["error"], json!({ "code": "unavailable", "message": "the server failed" }));
    assert_eq!(ada.done("quick", json!({})).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_handler_that_panics_before_its_first_await_does_not_stop_the_socket() {
    fn broken(_: Ctx) -> std::future::Ready<Result<()>> {
        panic!("as a bug would")
    }
    let server = TestServer::with(
        |_| (),
        |server| server.root(|root| root.connection(broken).event(|_: Ctx, _: Quick| async { Ok(1) })),
    )
    .await;
    let mut ada = Client::named(server.address, "Ada").await;
    assert_eq!(ada.done("quick", json!({})).await, 1);
}
