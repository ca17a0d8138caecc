//! Invalid input: fields of a wrong type, too many attachments, replays that break a connection.

use serde_json::{Value, json};
use sockeye::config::{Relay, RelayTo};

use crate::{
    client::Client,
    harness::{Binary, TestServer, get},
};

/// A client in open mode with this user id.
async fn user(server: &TestServer, id: &str) -> Client {
    Client::with_auth(server.address, &json!({ "userId": id })).await
}

/// The message of the `bad-payload` error of an event.
async fn wrong(client: &mut Client, event: &str, payload: Value) -> String {
    let reply = client.ask(event, payload.clone()).await;
    assert_eq!(reply["error"]["code"], "bad-payload", "{event} {payload}: {reply}");
    reply["error"]["message"].as_str().unwrap().to_owned()
}

/// The text of the next event with this name; others are skipped.
pub async fn text_of(client: &mut Client, event: &str) -> String {
    loop {
        let text = client.next_text().await;
        if text.contains(&format!("[\"{event}\"")) {
            return text;
        }
    }
}

/// `message` with this number of attachments.
async fn emit_binary(client: &mut Client, attachments: usize) {
    let places: Vec<_> = (0..attachments).map(|num| json!({ "_placeholder": true, "num": num })).collect();
    client.raw(&format!(r#"45{attachments}-["message",{}]"#, json!(places))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_with_too_many_attachments_closes_its_sender_and_is_not_relayed() {
    let server = TestServer::start().await;
    let mut bob = Client::named(server.address, "Bob").await;
    for packet in ["4511-[\"message\"]", "4611-0[]", "4599999999999-[\"message\"]"] {
        let mut eve = Client::guest(server.address).await;
        eve.raw(packet).await;
        eve.closed().await;
    }
    let mut ada = Client::named(server.address, "Ada").await;
    emit_binary(&mut ada, 10).await;
    for _ in 0..10 {
        ada.binary(b"x").await;
    }
    assert!(text_of(&mut bob, "message").await.starts_with("4510-"), "the first he hears");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_attachments_is_a_setting() {
    let server = TestServer::configured(|config| config.limits.attachments = 2).await;
    let mut eve = Client::named(server.address, "Eve").await;
    let mut ada = Client::named(server.address, "Ada").await;
    emit_binary(&mut eve, 3).await;
    eve.closed().await;
    emit_binary(&mut ada, 2).await;
    ada.binary(b"x").await;
    ada.binary(b"x").await;
    assert!(text_of(&mut ada, "message").await.starts_with("452-"));
    let server = TestServer::configured(|config| config.limits.attachments = 0).await;
    let mut ada = Client::named(server.address, "Ada").await;
    emit_binary(&mut ada, 11).await;
    for _ in 0..11 {
        ada.binary(b"x").await;
    }
    assert!(text_of(&mut ada, "message").await.starts_with("4511-"), "0 is no limit");
}

/// A client that reconnected, recovered or not.
struct Returned {
    client: Client,
    sid: String,
    pid: String,
    /// The offset of the last event received before the answer to CONNECT.
    offset: Option<String>,
}

/// Reconnects and asks to recover a socket.
async fn comes_back(server: &TestServer, pid: &str, offset: Option<&str>) -> Returned {
    let mut client = Client::open(server.address, "", &[]).await.unwrap();
    client.raw(&format!("40{}", json!({ "name": "Ada", "pid": pid, "offset": offset }))).await;
    let mut offset = offset.map(str::to_owned);
    loop {
        let text = client.next_text().await;
        let json: Value = serde_json::from_str(&text[2..]).unwrap();
        match &text[..2] {
            "40" => {
                let id = |name: &str| json[name].as_str().unwrap().to_owned();
                let (sid, pid) = (id("sid"), id("pid"));
                return Returned { client, sid, pid, offset };
            }
            _ => offset = json.as_array().and_then(|args| args.last()?.as_str()).map(str::to_owned),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_whose_replay_broke_the_connection_twice_is_not_recovered_again() {
    let server = TestServer::start().await;
    let mut bob = Client::named(server.address, "Bob").await;
    let Returned { client, sid, pid, .. } = comes_back(&server, "nobody's", None).await;
    drop(client);
    bob.done("message", json!("poison")).await;
    for round in 0..2 {
        assert_eq!(comes_back(&server, &pid, None).await.sid, sid, "{round}");
    }
    assert_ne!(comes_back(&server, &pid, None).await.sid, sid, "it begins anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_after_its_replay_is_recovered_every_time() {
    let server = TestServer::start().await;
    let mut bob = Client::named(server.address, "Bob").await;
    let Returned { client, sid, pid, .. } = comes_back(&server, "nobody's", None).await;
    drop(client);
    for round in 0..5 {
        bob.done("message", json!(round)).await;
        let mut back = comes_back(&server, &pid, None).await;
        assert_eq!(back.sid, sid, "{round}");
        back.client.done("list-rooms", json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_received_its_whole_replay_is_recovered_every_time() {
    let server = TestServer::start().await;
    let mut bob = Client::named(server.address, "Bob").await;
    let Returned { client, sid, pid, mut offset } = comes_back(&server, "nobody's", None).await;
    drop(client);
    for round in 0..5 {
        bob.done("message", json!(round)).await;
        let back = comes_back(&server, &pid, offset.as_deref()).await;
        assert_eq!(back.sid, sid, "{round}");
        assert_ne!(back.offset, offset, "it has heard something");
        offset = back.offset;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_the_wrong_type_is_an_error_and_not_ignored() {
    let server = TestServer::configured(|config| {
        config.rooms.recipient_field = "receiverId".to_owned();
        config.rooms.room_field = "channel".to_owned();
        let relay = |to, field| {
            let mut relay = Relay::new(to);
            relay.field = field;
            relay
        };
        let mut direct = Relay::new(RelayTo::User);
        direct.argument = Some(1);
        config.relay.insert("invite".to_owned(), relay(RelayTo::User, Some("memberId".to_owned())));
        config.relay.insert("poke".to_owned(), direct);
        config.relay.insert("draw".to_owned(), relay(RelayTo::Room, Some("board".to_owned())));
    })
    .await;
    let mut ada = user(&server, "1").await;
    let mut bob = user(&server, "2").await;
    let nothing = [json!(null), json!(2.0), json!(true), json!(["2"]), json!({ "id": 2 }), json!("")];
    for value in &nothing {
        for field in ["to", "room", "receiverId", "channel"] {
            let sentence = wrong(&mut ada, "send-message", json!({ field: value, "text": "secret" })).await;
            assert!(sentence.contains(field), "{sentence}");
        }
        wrong(&mut ada, "send-message", json!({ "receiverId": 2, "channel": value })).await;
        for (event, field) in
            [("join-room", "room"), ("leave-room", "room"), ("load-messages", "room"), ("mark-read", "room")]
        {
            let sentence = wrong(&mut ada, event, json!({ field: value, "offset": 1 })).await;
            assert!(sentence.contains(field), "{sentence}");
        }
        let sentence = wrong(&mut ada, "invite", json!({ "memberId": value })).await;
        assert!(sentence.contains("memberId"), "{sentence}");
        let sentence = wrong(&mut ada, "draw", json!({ "board": value })).await;
        assert!(sentence.contains("board"), "{sentence}");
        ada.raw(&format!("429{}", json!(["poke", "hello", value]))).await;
        assert_eq!(ada.reply(9).await["error"]["code"], "bad-payload", "{value}");
    }
    assert_eq!(wrong(&mut ada, "invite", json!({})).await, "memberId is missing");
    assert_eq!(wrong(&mut ada, "invite", json!([])).await, "argument 0 must be an object, not an array");
    // Whole numbers are valid names.
    ada.done("send-message", json!({ "receiverId": 2, "n": 1 })).await;
    ada.done("send-message", json!({ "to": 2, "n": 2 })).await;
    for n in [1, 2] {
        let message = bob.event("message-saved").await["message"].clone();
        assert_eq!((&message["room"], &message["body"]["n"]), (&json!("dm:1"), &json!(n)), "nothing went to the lobby");
    }
    ada.done("invite", json!({ "memberId": 2 })).await;
    assert_eq!(bob.event("invite").await["memberId"], 2);
    bob.done("join-room", json!({ "room": 7 })).await;
    ada.done("join-room", json!({ "room": "7" })).await;
    ada.done("draw", json!({ "board": 7 })).await;
    assert_eq!(bob.event("draw").await["board"], 7);
    assert_eq!(ada.done("send-message", json!({ "channel": 7, "n": 3 })).await["room"], "7");
    assert_eq!(bob.event("message-saved").await["message"]["body"]["n"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn error_messages_contain_no_text_of_the_parsers() {
    let server = TestServer::start().await;
    let mut ada = Client::named(server.address, "Ada").await;
    for (event, payload, sentence) in [
        ("join-room", json!(7), "join-room: the payload must be an object, not 7"),
        ("join-room", json!(["tea", 3]), "join-room: the payload must be an object, not an array"),
        ("join-room", json!(null), "join-room: room is missing"),
        ("join-room", json!({ "room": {} }), "join-room: room must be a string or a whole number, not an object"),
        (
            "join-room",
            json!({ "room": "a", "since": "1" }),
            "join-room: since must be a whole number of 0 or more, not a string",
        ),
        (
            "mark-read",
            json!({ "room": "a", "offset": -1 }),
            "mark-read: offset must be a whole number of 0 or more, not -1",
        ),
        ("typing", json!({ "room": "a", "typing": 1 }), "typing: typing must be true or false, not 1"),
        ("edit-message", json!({ "text": 1 }), "edit-message: id is missing"),
        ("edit-message", json!({ "id": 1 }), "edit-message: id must be a string, not 1"),
        ("delete-message", json!({ "id": "x" }), "delete-message: id: a message's id is a UUID"),
        ("send-message", json!([1]), "send-message: the payload must be an object or a plain value, not an array"),
        ("edit-message", json!([1]), "edit-message: the payload must be an object or a plain value, not an array"),
        ("refresh-token", json!({ "token": 1 }), "refresh-token: token must be a string, not 1"),
    ] {
        assert_eq!(wrong(&mut ada, event, payload).await, sentence);
    }
    ada.done("send-message", json!("plain")).await;
    assert_eq!(ada.event("message-saved").await["message"]["body"], json!({ "value": "plain" }), "the first there is");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_a_wrong_type_are_refused_and_whole_numbers_are_ids() {
    let server = TestServer::start().await;
    for auth in [
        json!({ "userId": 2.5 }),
        json!({ "userId": ["2"] }),
        json!({ "userId": true }),
        json!({ "name": {} }),
        json!({ "token": 7 }),
    ] {
        let mut client = Client::open(server.address, "", &[]).await.unwrap();
        assert_eq!(client.connect("", &auth).await, Err("bad-payload".to_owned()), "{auth}");
    }
    let mut twice = Client::open(server.address, "&userId=1&userId=2", &[]).await.unwrap();
    assert_eq!(twice.connect("", &json!({})).await, Err("bad-payload".to_owned()));
    for path in ["/api/rooms?userId=1&userId=2", "/api/rooms?userId=1&limit=x", "/api/rooms?userId=1&limit=1&limit=2"] {
        let answer = get(server.address, path, &[]).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(!answer.body.contains("deserialize") && !answer.body.contains("digit"), "{}", answer.body);
    }
    let mut number = Client::open(server.address, "", &[]).await.unwrap();
    number.connect("", &json!({ "userId": 2, "name": null, "token": null })).await.unwrap();
    assert_eq!(number.event("session").await["user"], json!({ "id": "2", "name": "2" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_that_is_too_large_or_too_deep_is_refused_and_logged_with_the_reason() {
    let data = tempfile::tempdir().unwrap();
    let server = Binary::serve(data.path(), &[]).await;
    let large = json!({ "token": "x".repeat(128 * 1024) }).to_string();
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(1_001), "]".repeat(1_001));
    for (auth, code, must_say) in [(large, "too-large", "auth has more than 128 KiB"), (deep, "bad-payload", "auth")] {
        let mut client = Client::open(server.address, "", &[]).await.unwrap();
        client.raw(&format!("40{auth}")).await;
        let answer = client.next_text().await;
        let refusal: Value = serde_json::from_str(answer.strip_prefix("44").expect(&answer)).unwrap();
        assert_eq!((&refusal["message"], &refusal["data"]["code"]), (&json!(code), &json!(code)));
        assert!(refusal["data"]["message"].as_str().unwrap().contains(must_say), "{refusal}");
        let log = server.log();
        assert!(log.lines().any(|line| line.contains("connection refused") && line.contains(code)), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_ids_undefined_and_null_make_guests() {
    let server = TestServer::configured(|config| {
        config.rooms.recipient_field = "receiverId".to_owned();
        config.rooms.room_field = "channel".to_owned();
        let relay = |field, argument| {
            let mut relay = Relay::new(RelayTo::User);
            (relay.field, relay.argument) = (field, argument);
            relay
        };
        config.relay.insert("invite".to_owned(), relay(Some("memberId".to_owned()), None));
        config.relay.insert("poke".to_owned(), relay(None, Some(1)));
    })
    .await;
    for (auth, name) in [
        (json!({ "userId": "undefined" }), None),
        (json!({ "userId": "null", "name": "undefined" }), None),
        (json!({ "name": " null " }), None),
        (json!({ "userId": "undefined", "name": "Ada" }), Some("Ada")),
    ] {
        let mut client = Client::open(server.address, "", &[]).await.unwrap();
        client.connect("", &auth).await.unwrap();
        let user = client.event("session").await["user"].clone();
        assert!(user["id"].as_str().unwrap().starts_with("guest-"), "{auth}: {user}");
        match name {
            Some(name) => assert_eq!(user["name"], name),
            None => assert!(user["name"].as_str().unwrap().starts_with("Guest "), "{user}"),
        }
    }
    let mut ada = user(&server, "undefined behaviour").await;
    for nobody in ["undefined", "null"] {
        let says = |field: &str| format!("{field}: nobody can be the user {nobody:?}");
        for (event, field) in [("send-message", "to"), ("send-message", "receiverId"), ("invite", "memberId")] {
            assert_eq!(wrong(&mut ada, event, json!({ field: nobody, "text": "x" })).await, says(field));
        }
        for field in ["room", "channel"] {
            let direct = json!({ field: format!("dm:{nobody}") });
            assert_eq!(wrong(&mut ada, "send-message", direct).await, says(field));
        }
        ada.raw(&format!("429{}", json!(["poke", "hello", nobody]))).await;
        assert_eq!(ada.reply(9).await["error"]["message"], says("argument 1"));
    }
    ada.done("send-message", json!({ "to": "undefined behaviour" })).await;
    ada.done("send-message", json!({ "room": "undefined" })).await;
}
