//! Saved messages: offsets, revisions, idempotency, history.

use serde_json::{Value, json};

use crate::{client::Client, harness::TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_saved_with_an_offset_and_broadcast_to_room_and_sender() {
    let server = TestServer::start().await;
    let mut ada = Client::named(server.address, "Ada").await;
    let mut bob = Client::named(server.address, "Bob").await;
    let mut eve = Client::named(server.address, "Eve").await;
    for client in [&mut ada, &mut bob] {
        client.done("join-room", json!({ "room": "kitchen" })).await;
    }
    for n in 1..=3 {
        let message = ada.done("send-message", json!({ "room": "kitchen", "text": n })).await;
        assert_eq!((&message["offset"], &message["revision"]), (&json!(n), &json!(n)));
        assert_eq!(message["from"], json!({ "id": "name:ada", "name": "Ada" }));
        for client in [&mut ada, &mut bob] {
            assert_eq!(client.event("message-saved").await, json!({ "success": true, "message": message }));
        }
    }
    ada.done("send-message", json!({ "text": "to all" })).await;
    assert_eq!(eve.event("message-saved").await["message"]["room"], "lobby", "the kitchen is not hers to hear");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_is_stored_byte_for_byte() {
    let server = TestServer::start().await;
    let mut ada = Client::named(server.address, "Ada").await;
    let mut bob = Client::named(server.address, "Bob").await;
    bob.done("list-rooms", json!({})).await;
    ada.raw(r#"42["send-message",{"room":"lobby","price" : 1.00,"big":123456789012345678901234567890,"é":"\u00e9"}]"#)
        .await;
    // Parsing the value and serializing it again would change each of these.
    let frame = loop {
        let frame = bob.next_text().await;
        if frame.contains("message-saved") {
            break frame;
        }
    };
    let body = r#""body":{"price" : 1.00,"big":123456789012345678901234567890,"é":"\u00e9"}"#;
    assert!(frame.contains(body), "{frame}");
}

#[tokio::test(flavor = "multi_thread")]
async fn since_returns_exactly_the_changes_in_revision_order() {
    let server = TestServer::start().await;
    let mut ada = Client::named(server.address, "Ada").await;
    let mut ids = Vec::new();
    for n in 1..=5 {
        ids.push(ada.done("send-message", json!({ "room": "log", "n": n })).await["id"].clone());
    }
    let before = ada.done("join-room", json!({ "room": "log" })).await;
    assert_eq!(before["head"], json!({ "offset": 5, "revision": 5 }));
    assert_eq!(before["messages"].as_array().unwrap().len(), 5);
    let edited = ada.done("edit-message", json!({ "id": ids[1], "n": "two" })).await;
    assert_eq!((&edited["offset"], &edited["revision"]), (&json!(2), &json!(6)));
    ada.done("send-message", json!({ "room": "log", "n": 6 })).await;
    let deleted = ada.done("delete-message", json!({ "id": ids[0] })).await;
    assert_eq!((&deleted["revision"], &deleted["body"]), (&json!(8), &json!({})));
    ada.done("edit-message", json!({ "id": ids[1], "n": "zwei" })).await;
    let since = |revision: u64| json!({ "room": "log", "since": revision });
    let seen = |reply: &Value| -> Vec<(u64, u64)> {
        let messages = reply["messages"].as_array().unwrap().iter();
        messages.map(|message| (message["revision"].as_u64().unwrap(), message["offset"].as_u64().unwrap())).collect()
    };
    let reply = ada.done("join-room", since(5)).await;
    assert_eq!(seen(&reply), [(7, 6), (8, 1), (9, 2)], "the first edit is overtaken by the second");
    assert_eq!((&reply["more"], &reply["reset"]), (&json!(false), &json!(false)));
    assert_eq!(seen(&ada.done("join-room", since(7)).await), [(8, 1), (9, 2)]);
    assert_eq!(seen(&ada.done("join-room", since(9)).await), []);
    assert_eq!(seen(&ada.done("join-room", since(0)).await), [(3, 3), (4, 4), (5, 5), (7, 6), (8, 1), (9, 2)]);
    assert_eq!(ada.done("join-room", since(10)).await["reset"], true, "another database");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_missed_messages_are_returned_in_several_replies() {
    let server = TestServer::configured(|config| config.limits.events_per_second = 0).await;
    let mut ada = Client::named(server.address, "Ada").await;
    let mut first = Value::Null;
    for n in 1..=450 {
        let id = ada.send("send-message", json!({ "room": "long", "n": n })).await;
        let reply = ada.reply(id).await;
        if n == 1 {
            first = reply["data"]["id"].clone();
        }
    }
    ada.done("edit-message", json!({ "id": first, "n": "one" })).await;
    let (mut since, mut revisions) = (0, Vec::new());
    loop {
        let reply = ada.done("join-room", json!({ "room": "long", "since": since })).await;
        let messages = reply["messages"].as_array().unwrap();
        assert!(messages.len() <= 200);
        revisions.extend(messages.iter().map(|message| message["revision"].as_u64().unwrap()));
        since = *revisions.last().unwrap();
        if reply["more"] == false {
            break;
        }
    }
    assert_eq!(revisions, (2..=451).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_large_messages_are_short() {
    let server = TestServer::start().await;
    let mut ada = Client::named(server.address, "Ada").await;
    let text = "x".repeat(400_000);
    for n in 1..=5 {
        ada.done("send-message", json!({ "room": "large", "n": n, "text": text })).await;
    }
    let page = ada.done("load-messages", json!({ "room": "large" })).await;
    let offsets = |page: &Value| -> Vec<u64> {
        page["messages"].as_array().unwrap().iter().map(|message| message["offset"].as_u64().unwrap()).collect()
    };
    assert_eq!((offsets(&page), &page["more"]), (vec![4, 5], &json!(true)));
    let mut revisions = Vec::new();
    loop {
        let since = revisions.last().copied().unwrap_or(0);
        let reply = ada.done("join-room", json!({ "room": "large", "since": since })).await;
        revisions.extend(offsets(&reply));
        if reply["more"] == false {
            break;
        }
    }
    assert_eq!(revisions, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_returns_the_first_message_and_is_not_broadcast_again() {
    let server = TestServer::start().await;
    let mut ada = Client::named(server.address, "Ada").await;
    let mut bob = Client::named(server.address, "Bob").await;
    bob.done("list-rooms", json!({})).await;
    let first = ada.done("send-message", json!({ "text": "once", "idempotencyKey": "k" })).await;
    ada.done("edit-message", json!({ "id": first["id"], "text": "changed" })).await;
    let again = ada.done("send-message", json!({ "text": "once", "idempotencyKey": "k" })).await;
    assert_eq!((&again["id"], &again["offset"]), (&first["id"], &json!(1)), "an edit since then is no conflict");
    assert_eq!(ada.refused("send-message", json!({ "text": "other", "idempotencyKey": "k" })).await, "conflict");
    assert_eq!(
        ada.refused("send-message", json!({ "text": "once", "idempotencyKey": "k", "room": "x" })).await,
        "conflict"
    );
    bob.done("send-message", json!({ "text": "mine", "idempotencyKey": "k" })).await;
    assert_eq!(bob.event("message-saved").await["message"]["id"], first["id"]);
    assert_eq!(bob.event("message-saved").await["message"]["body"]["text"], "mine", "the key is its user's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_survive_a_restart_and_offsets_continue() {
    let server = TestServer::start().await;
    let mut ada = Client::named(server.address, "Ada").await;
    let first = ada.done("send-message", json!({ "room": "kept", "text": 1 })).await;
    ada.done("edit-message", json!({ "id": first["id"], "text": "one" })).await;
    drop(ada);
    let data = server.stop().await;
    let server = TestServer::on(data, |_| (), |server| server).await;
    let mut ada = Client::named(server.address, "Ada").await;
    let second = ada.done("send-message", json!({ "room": "kept", "text": 2 })).await;
    assert_eq!((&second["offset"], &second["revision"]), (&json!(2), &json!(3)));
    let page = ada.done("load-messages", json!({ "room": "kept" })).await;
    assert_eq!(page["messages"][0]["body"], json!({ "text": "one" }));
    let rooms = ada.done("list-rooms", json!({})).await;
    assert_eq!(rooms["rooms"][0]["room"], "kept");
}
