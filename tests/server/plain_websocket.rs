//! Plain WebSocket clients.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sockeye::{Arguments, Ctx, Raw, Refusal, Result};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

use crate::harness::{TestServer, soon};

/// A plain WebSocket client.
struct Plain(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Plain {
    async fn open(server: &TestServer) -> Self {
        Self(soon(tokio_tungstenite::connect_async(format!("ws://{}/ws", server.address))).await.unwrap().0)
    }

    async fn say(&mut self, envelope: Value) {
        soon(self.0.send(Message::text(envelope.to_string()))).await.unwrap();
    }

    async fn event(&mut self, event: &str, data: Value) {
        self.say(json!({ "eventType": "ClientEvent", "event": event, "requestData": data })).await;
    }

    async fn next(&mut self) -> Message {
        loop {
            match soon(self.0.next()).await.expect("the connection is open").unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    async fn envelope(&mut self) -> Value {
        let message = self.next().await;
        serde_json::from_str(message.to_text().unwrap()).expect("an envelope")
    }

    async fn ask(&mut self, event: &str, data: Value) -> Value {
        self.event(event, data).await;
        self.envelope().await
    }

    /// Code and reason of the close frame.
    async fn closed(&mut self) -> (u16, String) {
        let Message::Close(Some(frame)) = self.next().await else { panic!("not a close frame") };
        (frame.code.into(), frame.reason.to_string())
    }
}

async fn picture(_: Ctx, (): ()) -> Result<Arguments> {
    let json = r#"["red",{"_placeholder":true,"num":0}]"#;
    Ok(Arguments::new(json, vec![vec![0, 255].into()]))
}

async fn fail(_: Ctx, (): ()) -> Result<()> {
    panic!("on purpose");
}

async fn server() -> TestServer {
    let build = |server: sockeye::Server| {
        server
            .on("leave", async |ctx: Ctx, ()| ctx.disconnect(false))
            .on("guess", async |ctx: Ctx, ()| {
                ctx.timeout(Duration::from_secs(10)).emit_with_ack::<u32>("what-number", json!({ "below": 10 })).await
            })
            .on("legacy", async |_, ()| Raw(json!({ "success": true, "data": 1, "more": 2 })))
            .on("picture", picture)
            .on("fail", fail)
    };
    TestServer::with(|_| (), build).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_closes_with_4003() {
    let server = server().await;
    let mut client = Plain::open(&server).await;
    client.event("Leave", json!({})).await;
    assert_eq!(client.envelope().await["event"], "session");
    assert_eq!(client.closed().await, (4003, "kicked".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_event_with_acknowledgement_has_an_id_and_the_answer_repeats_it() {
    let server = server().await;
    let mut client = Plain::open(&server).await;
    client.event("Guess", json!({})).await;
    assert_eq!(client.envelope().await["event"], "session");
    let asked = client.envelope().await;
    let number = asked["requestId"].as_u64().unwrap();
    let expected = json!({
        "eventType": "ServerEvent", "event": "what-number", "requestId": number, "data": { "below": 10 }
    });
    assert_eq!(asked, expected);
    client.say(json!({ "eventType": "Reply", "requestId": number + 1, "data": 3 })).await;
    client.say(json!({ "eventType": "Reply", "requestId": number, "data": 7 })).await;
    let reply = client.envelope().await;
    assert_eq!(reply, json!({ "eventType": "Reply", "event": "Guess", "success": true, "data": 7 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_reply_is_wrapped_as_data() {
    let server = server().await;
    let mut client = Plain::open(&server).await;
    assert_eq!(client.ask("legacy", json!({})).await["event"], "session");
    let data = json!({ "success": true, "data": 1, "more": 2 });
    let reply =
        |event: &str, data: Value| json!({ "eventType": "Reply", "event": event, "success": true, "data": data });
    assert_eq!(client.envelope().await, reply("legacy", data));
    assert_eq!(client.ask("picture", json!({})).await, reply("picture", json!(["red", "AP8="])));
    let failed = client.ask("fail", json!({})).await;
    assert_eq!((&failed["success"], &failed["error"]["code"]), (&json!(false), &json!("unavailable")));
    assert_eq!(client.ask("legacy", json!({})).await["success"], true, "it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn middleware_may_refuse_with_a_message_of_its_own() {
    let refuse = |_| async { Err(Refusal::new("outdated", json!({ "needed": "3.0" }))) };
    let server = TestServer::with(|_| (), |server| server.root(|root| root.middleware(refuse))).await;
    let mut client = Plain::open(&server).await;
    let reply = client.ask("Register", json!({})).await;
    assert_eq!(reply["success"], false);
    let error = json!({ "code": "forbidden", "message": "outdated", "data": { "needed": "3.0" } });
    assert_eq!(reply["error"], error);
    let mut text = Plain::open(&server).await;
    text.0.send(Message::text("hello")).await.unwrap();
    assert_eq!(text.closed().await, (1008, "forbidden".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn panicking_middleware_refuses_the_connection() {
    let broken = |_| async { panic!("as a bug would") as Result<(), Refusal> };
    let server = TestServer::with(|_| (), |server| server.root(|root| root.middleware(broken))).await;
    let mut client = Plain::open(&server).await;
    let reply = client.ask("Register", json!({})).await;
    assert_eq!((&reply["success"], &reply["error"]["code"]), (&json!(false), &json!("unavailable")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_refused_after_the_connect_timeout_is_closed() {
    let slow = |_| async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        Err(Refusal::new("not you", Value::Null))
    };
    let settings = |config: &mut sockeye::Config| config.server.connect_timeout = Duration::from_secs(2);
    let server = TestServer::with(settings, |server| server.root(|root| root.middleware(slow))).await;
    let mut client = Plain::open(&server).await;
    assert_eq!(client.ask("Register", json!({})).await["error"]["message"], "not you");
    assert_eq!(client.closed().await, (1008, "not-registered".to_owned()));
}
