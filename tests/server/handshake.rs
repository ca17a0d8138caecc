//! What a client said when it connected: `Ctx::handshake` and `Entrant::handshake`.

use std::time::Duration;

use serde_json::{Value, json};
use sockeye::{Config, Ctx, DisconnectReason, Entrant, Handshake, Refusal, Server, Timestamp};
use tokio::sync::mpsc;

use crate::{
    client::Client,
    harness::{TestServer, soon},
};

/// All that a handshake says.
fn read(handshake: &Handshake) -> Value {
    let age = Timestamp::now().as_millis() - handshake.time().as_millis();
    json!({
        "url": handshake.url(),
        "room": handshake.query("room"),
        "query": handshake.query_text(),
        "agent": handshake.header("User-Agent"),
        "tags": handshake.headers().get_all("x-tag").iter().count(),
        "cookie": handshake.cookie("sid"),
        "auth": handshake.auth(),
        "address": handshake.address(),
        "is_secure": handshake.is_secure(),
        "is_new": age < 60_000,
    })
}

fn behind_a_proxy() -> Config {
    let mut config = Config::bare();
    config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    config
}

/// CONNECT with this `auth`. Returns the `pid` of the answer.
async fn connect(client: &mut Client, auth: &Value) -> String {
    client.raw(&format!("40{auth}")).await;
    let answer = client.next_text().await;
    let answer: Value = serde_json::from_str(answer.strip_prefix("40").expect(&answer)).unwrap();
    answer["pid"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_reads_the_whole_handshake() {
    let answer = async |ctx: Ctx, ()| sockeye::Raw(read(&ctx.handshake()));
    let server = TestServer::with(|_| (), |_| Server::bare(behind_a_proxy()).on("read", answer)).await;
    // A long handshake is read by hyper, a short one before it.
    for padding in [10, 10_000] {
        let headers = [
            ("user-agent", "Tester/1"),
            ("cookie", "a=b; sid=s%3A1"),
            ("x-tag", "1"),
            ("x-padding", &*"x".repeat(padding)),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
        ];
        let mut ada = Client::open(server.address, "&room=blue%20one", &headers).await.unwrap();
        connect(&mut ada, &json!({ "colour": "blue" })).await;
        let said = ada.ask("read", json!(null)).await;
        let query = "EIO=4&transport=websocket&recovery=true&room=blue%20one";
        let wanted = json!({
            "url": format!("/socket.io/?{query}"),
            "room": "blue one",
            "query": query,
            "agent": "Tester/1",
            "tags": 1,
            "cookie": "s:1",
            "auth": "{\"colour\":\"blue\"}",
            "address": "203.0.113.9",
            "is_secure": true,
            "is_new": true,
        });
        assert_eq!(said, wanted, "{padding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn middleware_reads_the_same_handshake() {
    let build = |_| {
        Server::bare(Config::bare()).middleware(async |entrant: Entrant| match entrant.handshake.header("X-Api-Key") {
            Some("open sesame") => Ok(()),
            _ => Err(Refusal::new("no key", None)),
        })
    };
    let server = TestServer::with(|_| (), build).await;
    let mut eve = Client::open(server.address, "", &[("x-api-key", "open barley")]).await.unwrap();
    assert_eq!(eve.connect("", &json!({})).await, Err("no key".to_owned()));
    let mut ada = Client::open(server.address, "", &[("x-api-key", "open sesame")]).await.unwrap();
    assert_eq!(ada.connect("", &json!({})).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnect_handler_has_the_handshake_and_a_recovered_socket_the_new_one() {
    let (gone, mut left) = mpsc::unbounded_channel();
    let mut config = Config::bare();
    config.recovery.window = Duration::from_secs(60);
    let build = |_| {
        Server::bare(config)
            .connection(async |ctx: Ctx| ctx.emit("turn", (ctx.recovered(), ctx.handshake().query("turn"))))
            .on("auth", async |ctx: Ctx, ()| ctx.handshake().auth().to_owned())
            .disconnect(move |ctx: Ctx, _: DisconnectReason| {
                let gone = gone.clone();
                async move { gone.send(ctx.handshake().query("turn")).unwrap() }
            })
    };
    let server = TestServer::with(|_| (), build).await;
    let mut ada = Client::open(server.address, "&turn=1", &[]).await.unwrap();
    let pid = connect(&mut ada, &json!({ "turn": 1 })).await;
    assert_eq!(ada.event("turn").await, json!(false));
    drop(ada);
    assert_eq!(soon(left.recv()).await.unwrap().as_deref(), Some("1"));

    let mut ada = Client::open(server.address, "&turn=2", &[]).await.unwrap();
    let auth = json!({ "turn": 2, "pid": pid });
    ada.raw(&format!("40{auth}")).await;
    let replayed = ada.next_text().await;
    assert!(replayed.starts_with(r#"42["turn",false,"1""#), "{replayed}");
    assert!(ada.next_text().await.contains(&pid));
    let told = ada.next_text().await;
    assert!(told.starts_with(r#"42["turn",true,"2""#), "{told}");
    assert_eq!(ada.ask("auth", json!(null)).await, json!(auth.to_string()));
    drop(ada);
    assert_eq!(soon(left.recv()).await.unwrap().as_deref(), Some("2"));
}
