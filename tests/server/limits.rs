//! Each limit of the configuration is reached once.

use serde_json::json;
use sockeye::ClientEvent;
use tokio::{net::TcpListener, sync::Semaphore};

use crate::{
    client::{Client, Heard},
    harness::{TestServer, get, soon},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_10_000_events_is_limited_without_slowing_others() {
    let server = TestServer::start().await;
    let mut eve = Client::named(server.address, "Eve").await;
    let mut bob = Client::named(server.address, "Bob").await;
    let (mut done, mut refused) = (0, 0);
    for round in 0..10_u64 {
        for _ in 0..1_000 {
            eve.send("send-message", json!({ "room": "flood", "text": "x" })).await;
        }
        for id in round * 1_000..(round + 1) * 1_000 {
            let reply = eve.reply(id).await;
            if reply["success"] == true {
                done += 1;
            } else {
                assert_eq!(reply["error"]["code"], "rate-limited");
                refused += 1;
            }
        }
        bob.done("send-message", json!({ "text": round })).await;
    }
    assert_eq!(done + refused, 10_000, "always an answer");
    assert!(refused > 5_000, "{refused}");
    assert!(done >= 100, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_beyond_the_limit_are_refused_until_one_disconnects() {
    let server = TestServer::configured(|config| config.limits.sockets_per_user = 2).await;
    let first = Client::named(server.address, "Ada").await;
    let _second = Client::named(server.address, "Ada").await;
    let mut third = Client::open(server.address, "", &[]).await.unwrap();
    assert_eq!(third.connect("", &json!({ "name": "Ada" })).await, Err("rate-limited".to_owned()));
    let mut bob = Client::named(server.address, "Bob").await;
    drop(first);
    // Bob gets no event, because Ada is still online. Her place is free when the server notices the end of her
    // socket.
    let a_place_is_free = async {
        loop {
            let mut again = Client::open(server.address, "", &[]).await.unwrap();
            if again.connect("", &json!({ "name": "Ada" })).await.is_ok() {
                break;
            }
            bob.fence().await;
        }
    };
    soon(a_place_is_free).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_per_address_and_in_all_are_limited() {
    let server = TestServer::configured(|config| config.limits.sockets_per_address = 1).await;
    let _first = Client::guest(server.address).await;
    let mut second = Client::open(server.address, "", &[]).await.unwrap();
    assert_eq!(second.connect("", &json!({})).await, Err("rate-limited".to_owned()));

    let server = TestServer::configured(|config| config.limits.connections = 1).await;
    let _first = Client::guest(server.address).await;
    let mut second = Client::open(server.address, "", &[]).await.unwrap();
    assert_eq!(second.connect("", &json!({})).await, Err("unavailable".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn memberships_of_a_user_are_limited() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = listener.local_addr().unwrap();
    let server =
        TestServer::with(|config| config.limits.rooms_per_user = 2, |server| server.metrics_on(listener)).await;
    let mut ada = Client::named(server.address, "Ada").await;
    ada.done("join-room", json!({ "room": "one" })).await;
    ada.done("send-message", json!({ "room": "two" })).await;
    assert_eq!(ada.refused("join-room", json!({ "room": "three" })).await, "forbidden");
    assert_eq!(ada.refused("send-message", json!({ "room": "three" })).await, "forbidden");
    let text = get(metrics, "/metrics", &[]).await.body;
    assert!(text.contains("sockeye_limited_total{limit=\"rooms-per-user\"} 2"), "{text}");
    ada.done("send-message", json!({ "room": "one" })).await;
    ada.done("leave-room", json!({ "room": "one" })).await;
    ada.done("join-room", json!({ "room": "three" })).await;
}

#[derive(serde::Deserialize)]
struct Wait {}

impl ClientEvent for Wait {
    const NAME: &'static str = "wait";
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_flight_are_limited() {
    let gate = std::sync::Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let server = TestServer::with(
        |config| config.limits.events_in_flight = 3,
        |server| {
            server.event(move |_, _: Wait| {
                let gate = held.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(())
                }
            })
        },
    )
    .await;
    let mut eve = Client::named(server.address, "Eve").await;
    for _ in 0..3 {
        eve.send("wait", json!({})).await;
    }
    assert_eq!(eve.refused("wait", json!({})).await, "rate-limited");
    gate.add_permits(3);
    for id in 0..3 {
        let heard = eve.wait(|heard| matches!(heard, Heard::Ack { .. })).await;
        assert!(matches!(heard, Heard::Ack { id: ack, .. } if ack == id), "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_refused_for_events_in_flight_are_counted_under_their_names() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = listener.local_addr().unwrap();
    let server = TestServer::with(
        |config| config.limits.events_in_flight = 1,
        |server| server.event(|_, _: Wait| std::future::pending::<sockeye::Result<()>>()).metrics_on(listener),
    )
    .await;
    let mut eve = Client::named(server.address, "Eve").await;
    eve.send("wait", json!({})).await;
    for event in ["wait", "message", "invented-name"] {
        assert_eq!(eve.refused(event, json!({})).await, "rate-limited");
    }
    let text = get(metrics, "/metrics", &[]).await.body;
    for event in ["wait", "message", "unknown"] {
        let line = format!("sockeye_events_total{{event=\"{event}\",outcome=\"rate-limited\"}} 1\n");
        assert!(text.contains(&line), "{line} is missing in\n{text}");
    }
}
