//! Guests, and users with several devices.

use serde_json::{Value, json};

use crate::{client::Client, harness::TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_several_devices_goes_offline_with_the_last() {
    let server = TestServer::start().await;
    let mut watcher = Client::named(server.address, "Watcher").await;
    let phone = Client::named(server.address, "Ada").await;
    let laptop = Client::named(server.address, "ADA").await;
    let mut joined: Vec<Value> = Vec::new();
    while !joined.iter().any(|user| user["id"] == "name:ada") {
        joined.extend(watcher.event("presence-changed").await["joined"].as_array().unwrap().clone());
    }
    drop(phone);
    let mut bob = Client::named(server.address, "Bob").await;
    let changed = watcher.event("presence-changed").await;
    assert_eq!(changed["joined"][0]["name"], "Bob", "one device less is nothing to tell");
    assert_eq!(changed["left"], json!([]));
    drop(laptop);
    let changed = watcher.event("presence-changed").await;
    assert_eq!(
        changed,
        json!({ "room": "lobby", "joined": [], "left": [{ "id": "name:ada", "name": "Ada" }], "userCount": 2 })
    );
    bob.done("join-room", json!({ "room": "lobby" })).await;
    let users = bob.done("list-users", json!({})).await;
    assert_eq!(users["userCount"], 2, "those present; Ada never joined");
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_are_not_announced_and_leave_no_memberships() {
    let server = TestServer::start().await;
    let mut watcher = Client::named(server.address, "Watcher").await;
    watcher.event("presence-changed").await;
    let mut guest = Client::guest(server.address).await;
    guest.done("join-room", json!({ "room": "lobby" })).await;
    guest.done("send-message", json!({ "text": "hello" })).await;
    assert_eq!(guest.done("list-rooms", json!({})).await["rooms"], json!([]));
    assert_eq!(watcher.done("list-users", json!({})).await["userCount"], 1);
    let from = watcher.event("message-saved").await["message"]["from"].clone();
    assert!(from["id"].as_str().unwrap().starts_with("guest-"), "{from}");
    let _bob = Client::named(server.address, "Bob").await;
    assert_eq!(watcher.event("presence-changed").await["joined"][0]["name"], "Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_a_room_unsubscribes_all_sockets_of_the_user() {
    let server = TestServer::start().await;
    let mut phone = Client::named(server.address, "Ada").await;
    let mut laptop = Client::named(server.address, "Ada").await;
    let mut bob = Client::named(server.address, "Bob").await;
    for client in [&mut phone, &mut laptop, &mut bob] {
        client.done("join-room", json!({ "room": "club" })).await;
    }
    phone.done("leave-room", json!({ "room": "club" })).await;
    bob.done("send-message", json!({ "room": "club", "text": "she is gone" })).await;
    bob.done("send-message", json!({ "text": "to all" })).await;
    assert_eq!(laptop.event("message-saved").await["message"]["room"], "lobby");
    assert_eq!(phone.refused("leave-room", json!({ "room": "lobby" })).await, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_message_names_the_other_user_to_each_side() {
    let server = TestServer::start().await;
    let mut ada = Client::named(server.address, "Ada").await;
    let mut bob = Client::named(server.address, "Bob").await;
    let mut eve = Client::named(server.address, "Eve").await;
    let sent = ada.done("send-message", json!({ "to": "name:bob", "text": "psst" })).await;
    assert_eq!(sent["room"], "dm:name:bob");
    let heard = bob.event("message-saved").await["message"].clone();
    assert_eq!((&heard["room"], &heard["id"]), (&json!("dm:name:ada"), &sent["id"]));
    let rooms = bob.done("list-rooms", json!({})).await;
    assert_eq!(rooms["rooms"][0]["with"], json!({ "id": "name:ada", "name": "Ada" }));
    assert_eq!(rooms["rooms"][0]["unread"], 1);
    bob.done("mark-read", json!({ "room": "dm:name:ada", "offset": 1 })).await;
    let read = ada.event("message-read").await;
    assert_eq!(read, json!({ "room": "dm:name:bob", "offset": 1, "user": "name:bob" }));
    assert_eq!(
        eve.done("load-messages", json!({ "room": "dm:name:bob" })).await["messages"],
        json!([]),
        "her own with Bob"
    );
    ada.done("send-message", json!({ "text": "to all" })).await;
    assert_eq!(eve.event("message-saved").await["message"]["room"], "lobby");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_a_valid_user_id_and_blanks_are_not() {
    let server = TestServer::start().await;
    let mut ada = Client::with_auth(server.address, &json!({ "userId": 42, "name": "Ada" })).await;
    let message = ada.done("send-message", json!({ "text": "hi" })).await;
    assert_eq!(message["from"], json!({ "id": "42", "name": "Ada" }));
    assert_eq!(ada.refused("send-message", json!({ "to": " " })).await, "bad-payload");
    let mut eve = Client::open(server.address, "", &[]).await.unwrap();
    assert_eq!(eve.connect("", &json!({ "userId": { "id": 1 } })).await, Err("bad-payload".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_recipient_field_makes_a_direct_message() {
    let server = TestServer::configured(|config| config.rooms.recipient_field = "receiverId".to_owned()).await;
    let mut ada = Client::with_auth(server.address, &json!({ "userId": "u1", "name": "Ada" })).await;
    let mut bob = Client::with_auth(server.address, &json!({ "userId": "u2", "name": "Bob" })).await;
    ada.emit("send-message", json!({ "senderId": "nobody", "receiverId": "u2", "text": "hi", "image": null })).await;
    let message = bob.event("message-saved").await["message"].clone();
    assert_eq!(message["room"], "dm:u1");
    assert_eq!(message["from"]["id"], "u1", "senderId is body, never identity");
    assert_eq!(message["body"], json!({ "senderId": "nobody", "receiverId": "u2", "text": "hi", "image": null }));
}
