//! Hostile input that no official client sends.

use serde_json::{Value, json};

use crate::{
    client::{Client, Heard},
    harness::TestServer,
};

/// A bystander is still served.
async fn unharmed(server: &TestServer) {
    let mut next = Client::named(server.address, "Next").await;
    next.done("send-message", json!({ "text": "still here" })).await;
    assert_eq!(next.event("message-saved").await["message"]["body"]["text"], "still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn internal_room_names_are_refused_in_every_event() {
    let server = TestServer::start().await;
    let mut eve = Client::named(server.address, "Eve").await;
    for room in ["\u{1}all", "\u{1}user:name:ada", "\u{1}dm:8:name:ada:name:bob", "dm:\u{1}x", "", "a\nb"] {
        for event in ["join-room", "leave-room", "load-messages", "list-users", "send-message"] {
            assert_eq!(eve.refused(event, json!({ "room": room })).await, "bad-payload", "{event} {room:?}");
        }
        assert_eq!(eve.refused("typing", json!({ "room": room, "typing": true })).await, "bad-payload");
        assert_eq!(eve.refused("mark-read", json!({ "room": room, "offset": 1 })).await, "bad-payload");
    }
    assert_eq!(eve.refused("send-message", json!({ "to": "\u{1}" })).await, "bad-payload");
    let long = "x".repeat(129);
    assert_eq!(eve.refused("join-room", json!({ "room": long })).await, "bad-payload");
    unharmed(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_messages_of_others_can_be_neither_read_nor_changed() {
    let server = TestServer::start().await;
    let mut ada = Client::named(server.address, "Ada").await;
    let mut eve = Client::named(server.address, "Eve").await;
    let direct = ada.done("send-message", json!({ "to": "name:bob", "text": "secret" })).await;
    let public = ada.done("send-message", json!({ "text": "public" })).await;
    assert_eq!(eve.refused("edit-message", json!({ "id": direct["id"], "text": "x" })).await, "not-found");
    assert_eq!(eve.refused("delete-message", json!({ "id": direct["id"] })).await, "not-found");
    assert_eq!(eve.refused("edit-message", json!({ "id": public["id"], "text": "x" })).await, "forbidden");
    assert_eq!(eve.refused("delete-message", json!({ "id": public["id"] })).await, "forbidden");
    for room in ["dm:name:ada", "dm:name:bob", "dm:name:eve"] {
        let page = eve.done("load-messages", json!({ "room": room })).await;
        assert_eq!(page["messages"], json!([]), "{room} is a room of her own");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_payloads_are_answered_with_an_error_code() {
    let server = TestServer::start().await;
    let mut eve = Client::named(server.address, "Eve").await;
    for (event, payload) in [
        ("join-room", json!(null)),
        ("join-room", json!(7)),
        ("join-room", json!({ "room": ["a"] })),
        ("join-room", json!({ "room": "a", "since": -1 })),
        ("load-messages", json!({ "room": "a", "before": 1, "after": 1 })),
        ("load-messages", json!({ "room": "a", "limit": 0 })),
        ("edit-message", json!({ "id": "nonsense" })),
        ("send-message", json!({ "room": "a", "to": "b" })),
        ("mark-read", json!({ "room": "a" })),
        ("refresh-token", json!({ "token": "x" })),
    ] {
        assert_eq!(eve.refused(event, payload.clone()).await, "bad-payload", "{event} {payload}");
    }
    assert_eq!(eve.refused("no-such-event", json!({})).await, "unknown-event");
    assert_eq!(eve.refused("mark-read", json!({ "room": "nowhere", "offset": 1 })).await, "not-found");
    assert_eq!(eve.refused("typing", json!({ "room": "nowhere", "typing": true })).await, "forbidden");
    eve.raw(r#"42["send-message",{"text":1},{"text":2}]"#).await;
    assert_eq!(eve.event("event-error").await["code"], "bad-payload");
    eve.emit("no-such-event", json!({})).await;
    let error = eve.event("event-error").await;
    assert_eq!((&error["event"], &error["code"]), (&json!("no-such-event"), &json!("unknown-event")));
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_packets_close_only_the_connection_of_their_sender() {
    let server = TestServer::start().await;
    for broken in
        ["4", "42[\"hi\"", "42{}", "47", "x", "45-[\"message\"]", "451-[\"message\",{\"_placeholder\":true,\"num\":0}]"]
    {
        let mut eve = Client::named(server.address, "Eve").await;
        eve.raw(broken).await;
        if broken.starts_with("451") {
            // The header announces an attachment, but a text frame follows.
            eve.raw("42[\"list-rooms\"]").await;
        }
        eve.raw("420[\"list-rooms\"]").await;
        let heard = eve.wait(|heard| matches!(heard, Heard::Closed | Heard::Ack { .. })).await;
        assert!(matches!(heard, Heard::Closed | Heard::Ack { .. }), "{broken}: answered or closed, never stuck");
    }
    unharmed(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_without_its_attachment_is_not_relayed() {
    let server = TestServer::start().await;
    let mut eve = Client::named(server.address, "Eve").await;
    let mut bob = Client::named(server.address, "Bob").await;
    // The parser of a receiver would reject the packet and disconnect.
    eve.raw(r#"451-7["message",{"_placeholder":true,"num":9}]"#).await;
    eve.binary(b"x").await;
    eve.closed().await;
    let mut eve = Client::named(server.address, "Eve").await;
    eve.emit("message", json!("fine")).await;
    assert_eq!(bob.event("message").await, "fine", "the first he hears");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_100_mb_is_refused_and_the_next_client_is_served() {
    let server = TestServer::start().await;
    let mut eve = Client::named(server.address, "Eve").await;
    let huge = format!(r#"42["message","{}"]"#, "x".repeat(100_000_000));
    if eve.try_raw(huge).await {
        eve.closed().await;
    }
    unharmed(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_larger_with_its_attachments_than_the_limit_is_too_large() {
    let server = TestServer::configured(|config| config.limits.payload_bytes = 10_000).await;
    let mut eve = Client::named(server.address, "Eve").await;
    eve.raw(r#"452-3["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#).await;
    eve.binary(&[0; 6_000]).await;
    eve.binary(&[0; 6_000]).await;
    assert_eq!(eve.reply(3).await["error"]["code"], "too-large");
    unharmed(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_that_are_not_listed_are_refused_on_polling_and_on_the_upgrade() {
    let server = TestServer::start().await;
    let polling = "/socket.io/?EIO=4&transport=polling";
    let own = format!("http://{}", server.address);
    for (origin, status) in [
        ("http://evil.example", 403),
        ("http://localhost:5174", 403),
        ("null", 403),
        ("http://localhost:5173", 200),
        (own.as_str(), 200),
    ] {
        let answer = server.get(polling, &[("Origin", origin)]).await;
        assert_eq!(answer.status, status, "polling from {origin}");
        let allowed = answer.head.contains(&format!("access-control-allow-origin: {origin}\r\n"));
        assert_eq!(allowed, origin == "http://localhost:5173", "CORS for {origin}");
        let upgrade = Client::open(server.address, "", &[("Origin", origin)]).await;
        assert_eq!(upgrade.err().unwrap_or(200), status, "the upgrade from {origin}");
    }
    assert_eq!(server.get(polling, &[]).await.status, 200, "no page at all");
    let refused: Value =
        serde_json::from_str(&server.get(polling, &[("Origin", "http://evil.example")]).await.body).unwrap();
    assert_eq!(refused["code"], 4);
}
