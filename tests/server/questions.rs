//! Handlers that wait for an answer of their client.

use std::time::Duration;

use serde_json::{Value, json};
use sockeye::{Config, Ctx, Result};
use tokio::sync::mpsc;

use crate::{
    client::Client,
    harness::{TestServer, soon},
};

async fn connected(server: &TestServer) -> Client {
    let mut client = Client::open(server.address, "", &[]).await.unwrap();
    client.connect("", &json!({})).await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_handler_that_asks_lets_the_clients_events_run() {
    let server = TestServer::bare(|server| {
        server
            .connection(async |ctx: Ctx| {
                let name: String = ctx.emit_with_ack("who", ()).await?;
                ctx.emit("welcome", name)
            })
            .on("profile", async |_: Ctx, ()| "Ada")
    })
    .await;
    let mut ada = connected(&server).await;
    ada.event("who").await;
    // The client needs this to answer.
    let name = ada.ask("profile", json!(null)).await;
    ada.raw(&format!("430[{name}]")).await;
    assert_eq!(ada.event("welcome").await, "Ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_another_task_lets_the_clients_events_run() {
    let server = TestServer::bare(|server| {
        server
            .on("begin", async |ctx: Ctx, ()| {
                let asking = tokio::spawn(async move {
                    // The handler waits already when this is asked.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    ctx.emit_with_ack::<u8>("number", ()).await
                });
                asking.await.unwrap()
            })
            .on("help", async |_: Ctx, ()| 7)
    })
    .await;
    let mut ada = connected(&server).await;
    let begin = ada.send("begin", json!(null)).await;
    let help = ada.send("help", json!(null)).await;
    ada.event("number").await;
    assert_eq!(ada.reply(help).await, json!(7));
    ada.raw("430[7]").await;
    assert_eq!(ada.reply(begin).await, json!(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_handler_that_asks_waits_for_it() {
    let (sender, mut order) = mpsc::unbounded_channel();
    let noting = move |what: &'static str| {
        let sender = sender.clone();
        move |_: Ctx| {
            sender.send(what).unwrap();
            std::future::ready(Ok(()))
        }
    };
    let mut config = Config::bare();
    config.recovery.window = Duration::from_secs(60);
    let (away, back) = (noting("away"), noting("back"));
    let build = |_| {
        let server = sockeye::Server::bare(config).connection(async |ctx: Ctx| {
            ctx.join("all")?;
            ctx.emit("hello", ())
        });
        server.root(|root| {
            root.disconnect(async |ctx: Ctx, _: sockeye::DisconnectReason| {
                // The other client never answers.
                let others = ctx.io().to("all").timeout(Duration::from_millis(300));
                others.emit_with_ack::<Value>("is anybody there", ()).await.map(drop)
            })
            .away(away)
            .back(back)
        })
    };
    let server = TestServer::with(|_| (), build).await;
    let mut bob = connected(&server).await;
    bob.fence().await;
    let mut ada = Client::open(server.address, "&recovery=true", &[]).await.unwrap();
    ada.raw("40").await;
    let text = ada.next_text().await;
    let welcome: Value = serde_json::from_str(&text[2..]).unwrap();
    let hello: Value = serde_json::from_str(&ada.next_text().await[2..]).unwrap();
    drop(ada);
    bob.event("is anybody there").await;
    let mut ada = Client::open(server.address, "&recovery=true", &[]).await.unwrap();
    ada.raw(&format!("40{}", json!({ "pid": welcome["pid"], "offset": hello[1] }))).await;
    assert_eq!(soon(order.recv()).await, Some("away"));
    assert!(ada.next_text().await.contains(welcome["sid"].as_str().unwrap()), "the socket is recovered");
    assert_eq!(soon(order.recv()).await, Some("back"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_to_a_connection_that_is_replaced_fails() {
    let (sender, mut answers) = mpsc::unbounded_channel();
    let mut config = Config::bare();
    config.recovery.window = Duration::from_secs(60);
    let server = TestServer::with(
        |_| (),
        |_| {
            sockeye::Server::bare(config).on("begin", move |ctx: Ctx, ()| {
                let sender = sender.clone();
                async move {
                    let answer: Result<Value> = ctx.emit_with_ack("number", ()).await;
                    sender.send(answer.map_err(|error| error.code().to_string())).unwrap();
                }
            })
        },
    )
    .await;
    let mut old = Client::open(server.address, "&recovery=true", &[]).await.unwrap();
    old.raw("40").await;
    let text = old.next_text().await;
    let welcome: Value = serde_json::from_str(&text[2..]).unwrap();
    old.emit("begin", json!(null)).await;
    let offset = loop {
        let text = old.next_text().await;
        if let Some(event) = text.strip_prefix("420") {
            let event: Value = serde_json::from_str(event).unwrap();
            break event.as_array().unwrap().last().unwrap().clone();
        }
    };
    // The server has not noticed that the old connection is dead.
    let mut new = Client::open(server.address, "&recovery=true", &[]).await.unwrap();
    new.raw(&format!("40{}", json!({ "pid": welcome["pid"], "offset": offset }))).await;
    assert_eq!(soon(answers.recv()).await.unwrap(), Err("unavailable".to_owned()));
    drop(old);
}
