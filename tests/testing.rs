//! The server and the client that an application's own tests use.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must panic")]

use std::time::Duration;

use axum::{Router, routing::get};
use bytes::Bytes;
use serde_json::{Value, json};
use sockeye::{Arguments, Config, Ctx, Entrant, Error, Events, Refusal, Server, testing::TestServer};

fn bare() -> Server {
    Server::bare(Config::bare())
}

fn recovering() -> Config {
    let mut config = Config::bare();
    config.recovery.window = Duration::from_secs(60);
    config
}

#[tokio::test]
async fn events_go_out_and_come_back_with_tuples_and_binary() {
    let server = bare()
        .on("move", async |ctx: Ctx, (x, y): (i32, i32)| ctx.broadcast().emit("moved", (x, y)))
        .on("upload", async |_: Ctx, (name, data): (String, Bytes)| Ok::<_, Error>((name, data.len(), data)));
    let server = TestServer::start(server).await;
    let (ada, bob) = (server.connect("/").await.unwrap(), server.connect("/").await.unwrap());
    ada.emit("move", (1, -2));
    ada.emit_with_ack::<()>("move", (3, 4)).await;
    assert_eq!(bob.next::<(i32, i32)>("moved").await, (1, -2));
    assert_eq!(bob.next::<(i32, i32)>("moved").await, (3, 4));
    bob.expect_none("moved").await;
    ada.expect_none("moved").await;
    let data = Bytes::from_static(b"\0\xff");
    let (name, length, back) = ada.emit_with_ack::<(String, usize, Bytes)>("upload", ("a.png", data.clone())).await;
    assert_eq!((name.as_str(), length, back), ("a.png", 2, data));
    server.stop().await;
}

#[tokio::test]
async fn events_are_kept_until_they_are_taken_and_bytes_arrive_from_the_server() {
    let server = TestServer::start(bare()).await;
    let client = server.connect("/").await.unwrap();
    server.io().emit("first", "a").unwrap();
    server.io().emit("file", (Bytes::from_static(b"x"), json!({ "of": [1] }))).unwrap();
    let (bytes, of) = client.next::<(Bytes, Value)>("file").await;
    assert_eq!((bytes, of), (Bytes::from_static(b"x"), json!({ "of": [1] })));
    assert_eq!(client.next::<String>("first").await, "a");
}

#[tokio::test]
async fn the_server_gets_the_clients_acknowledgement() {
    let server = bare().on("ask", async |ctx: Ctx, ()| ctx.emit_with_ack::<u32>("how-many", "apples").await);
    let server = TestServer::start(server).await;
    let client = server.connect("/").await.unwrap();
    let answer = async {
        let (what, ack) = client.next_with_ack::<String>("how-many").await;
        assert!((ack.is_wanted(), what.as_str()) == (true, "apples"));
        ack.send(3);
    };
    let (asked, ()) = tokio::join!(client.emit_with_ack::<u32>("ask", ()), answer);
    assert_eq!(asked, 3);
}

#[tokio::test]
async fn a_refusal_is_an_error_with_its_message_and_data() {
    let admin = Events::new().middleware(async |entrant: Entrant| match entrant.auth["token"].as_str() {
        Some("secret") => Ok(()),
        _ => Err(Refusal::new("not for you", json!({ "why": "token" }))),
    });
    let server = TestServer::start(bare().namespace("/admin", admin)).await;
    let error = server.connect("/admin").await.unwrap_err();
    assert_eq!((error.message.as_str(), error.data), ("not for you", Some(json!({ "why": "token" }))));
    let error = server.connect("/nowhere").await.unwrap_err();
    assert_eq!(error.message, "Invalid namespace");
    let admin = server.connect_with("/admin", json!({ "token": "secret" })).await.unwrap();
    assert!(admin.connected());
}

#[tokio::test]
async fn a_lost_client_recovers_its_socket_and_gets_what_it_missed() {
    let server = TestServer::start(Server::bare(recovering()).on("echo", async |_: Ctx, text: String| text)).await;
    let mut client = server.connect("/").await.unwrap();
    let id = client.id().to_owned();
    server.io().emit("news", "one").unwrap();
    let one = client.next::<Arguments>("news").await;
    assert_eq!(one.json(), r#"["one"]"#);
    client.lose_connection().await;
    server.io().emit("news", "two").unwrap();
    client.reconnect().await.unwrap();
    assert!((client.recovered(), client.id()) == (true, id.as_str()));
    assert_eq!(client.next::<String>("news").await, "two");
    client.expect_none("news").await;
    assert_eq!(client.emit_with_ack::<String>("echo", "a").await, "a");
    client.disconnect().await;
    client.reconnect().await.unwrap();
    assert!(!client.recovered());
}

#[tokio::test]
async fn the_end_of_a_connection_has_the_reason_of_the_official_client() {
    let server = TestServer::start(bare().on("leave", async |ctx: Ctx, close: bool| ctx.disconnect(close))).await;
    let client = server.connect("/").await.unwrap();
    client.emit("leave", false);
    assert_eq!(client.disconnected().await, "io server disconnect");
    client.expect_none("anything").await;
    let client = server.connect("/").await.unwrap();
    server.stop().await;
    assert_eq!(client.disconnected().await, "transport close");
}

#[tokio::test]
async fn headers_and_query_arrive_and_routes_are_served_beside() {
    let server =
        bare().middleware(async |entrant: Entrant| match entrant.handshake.query_text().contains("room=blue%20one") {
            true => Ok(()),
            false => Err(Refusal::new("no room", None)),
        });
    let server = TestServer::start_with(server, Router::new().route("/hello", get(async || "hello"))).await;
    assert_eq!(server.client("/").connect().await.unwrap_err().message, "no room");
    let evil = server.client("/").header("origin", "https://evil.example").connect().await;
    assert!(evil.unwrap_err().message.starts_with("403 Forbidden"));
    server.client("/").query("room", "blue one").header("cookie", "a=b").connect().await.unwrap();
    assert_eq!(server.url(), format!("http://{}", server.address()));
}

#[tokio::test]
async fn the_chat_has_a_folder_of_its_own() {
    let server = TestServer::start(Server::new(Config::default())).await;
    let client = server.connect_with("/", json!({ "name": "Ada" })).await.unwrap();
    let saved: Value = client.emit_with_ack("send-message", json!({ "text": "hello" })).await;
    assert_eq!(saved["success"], true, "{saved}");
    server.stop().await;
}

#[tokio::test]
#[should_panic(expected = "there is an event \"news\": [1]")]
async fn an_event_that_must_not_come_fails_the_test() {
    let server = TestServer::start(bare()).await;
    let client = server.connect("/").await.unwrap();
    server.io().emit("news", 1).unwrap();
    client.expect_none("news").await;
}

#[tokio::test]
#[should_panic(expected = "the event \"news\" is no u32")]
async fn an_event_of_another_type_fails_the_test() {
    let server = TestServer::start(bare()).await;
    let client = server.connect("/").await.unwrap();
    server.io().emit("news", "text").unwrap();
    client.next::<u32>("news").await;
}
