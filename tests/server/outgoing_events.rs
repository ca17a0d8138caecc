//! The catch-alls for what sockets are sent.

use std::{net::SocketAddr, sync::Arc};

use serde_json::{Value, json};
use sockeye::{Arguments, Ctx, Events, Server};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    client::Client,
    harness::{TestServer, soon},
};

type Told = UnboundedSender<(String, String)>;

/// Tells a test what was sent, after what a handler that listens said.
fn noting(told: &Told, who: &'static str) -> impl Fn(Ctx, Arc<str>, Arguments) -> std::future::Ready<()> + use<> {
    let told = told.clone();
    move |ctx: Ctx, event: Arc<str>, arguments: Arguments| {
        let bytes: usize = arguments.attachments().iter().map(bytes::Bytes::len).sum();
        told.send((ctx.id().to_string(), format!("{who} {event} {} {bytes}", arguments.json()))).unwrap();
        std::future::ready(())
    }
}

async fn connected(address: SocketAddr, namespace: &str) -> Client {
    let mut client = Client::open(address, "", &[]).await.unwrap();
    client.connect(namespace, &json!({})).await.unwrap();
    client
}

async fn bare(build: impl FnOnce(Server, Told) -> Server) -> (TestServer, UnboundedReceiver<(String, String)>) {
    let (told, sent) = unbounded_channel();
    (TestServer::bare(|server| build(server, told)).await, sent)
}

async fn are_next(sent: &mut UnboundedReceiver<(String, String)>, client: &Client, expected: &[&str]) {
    for expected in expected {
        assert_eq!(soon(sent.recv()).await.unwrap(), (client.sid.clone(), (*expected).to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catch_all_hears_what_each_socket_is_sent_in_order_and_no_acknowledgements() {
    let (server, mut sent) = bare(|server, told| {
        let events = Events::new()
            .on_any_outgoing(noting(&told, "all"))
            .on("say", async |ctx: Ctx, text: String| {
                ctx.emit("own", (text.as_str(), 2))?;
                ctx.volatile().emit("binary", bytes::Bytes::from_static(b"abc"))?;
                ctx.nsp().emit("everyone", ())?;
                ctx.to("nobody").emit("nobody", ())?;
                ctx.emit("own", text)
            })
            .on("ask", async |ctx: Ctx, ()| ctx.emit_with_ack::<u8>("question", 1).await);
        server.namespace("/heard", events).on("say", async |ctx: Ctx, ()| ctx.emit("elsewhere", ()))
    })
    .await;
    let mut other = connected(server.address, "").await;
    other.ask("say", json!(null)).await;
    let mut ada = connected(server.address, "/heard").await;
    ada.ask("say", json!("a")).await;
    let placed = r#"all binary [{"_placeholder":true,"num":0}] 3"#;
    are_next(&mut sent, &ada, &[r#"all own ["a",2] 0"#, placed, "all everyone [] 0", r#"all own ["a"] 0"#]).await;

    let question = ada.send("ask", json!(null)).await;
    while !ada.next_text().await.contains("question") {}
    are_next(&mut sent, &ada, &["all question [1] 0"]).await;
    ada.raw("43/heard,0[7]").await;
    assert_eq!(ada.reply(question).await, json!(7));

    let bob = connected(server.address, "/heard").await;
    ada.ask("say", json!("b")).await;
    are_next(&mut sent, &ada, &[r#"all own ["b",2] 0"#, placed]).await;
    let both = [soon(sent.recv()).await.unwrap(), soon(sent.recv()).await.unwrap()].map(|(id, text)| {
        assert_eq!(text, "all everyone [] 0");
        id
    });
    assert!(both.contains(&ada.sid) && both.contains(&bob.sid));
    are_next(&mut sent, &ada, &[r#"all own ["b"] 0"#]).await;
    assert!(sent.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_has_catch_alls_of_its_own_until_they_are_removed() {
    let (server, mut sent) = bare(|server, told| {
        let listens = move |ctx: Ctx, ()| {
            let second = ctx.on_any_outgoing(noting(&told, "second"));
            ctx.prepend_any_outgoing(noting(&told, "first"));
            // Emits itself, which it hears too.
            ctx.on_any_outgoing(async |ctx: Ctx, event: Arc<str>, _| {
                if &*event == "go" {
                    ctx.emit("more", ()).unwrap();
                    tokio::task::yield_now().await;
                    ctx.remove_all_listeners();
                    ctx.emit("last", ()).unwrap();
                }
                assert_ne!(&*event, "panic");
            });
            ctx.on("only first", move |ctx: Ctx, ()| {
                ctx.remove_listener(second);
                std::future::ready(())
            });
            std::future::ready(())
        };
        server.on("listen", listens).on("emit", async |ctx: Ctx, event: String| ctx.nsp().emit(&event, 1))
    })
    .await;
    let (mut ada, mut bob) = (connected(server.address, "").await, connected(server.address, "").await);
    bob.ask("emit", json!("before")).await;
    ada.ask("listen", json!(null)).await;
    bob.ask("emit", json!("both")).await;
    are_next(&mut sent, &ada, &["first both [1] 0", "second both [1] 0"]).await;
    bob.ask("emit", json!("panic")).await;
    are_next(&mut sent, &ada, &["first panic [1] 0", "second panic [1] 0"]).await;
    ada.ask("only first", json!(null)).await;
    bob.ask("emit", json!("one")).await;
    are_next(&mut sent, &ada, &["first one [1] 0"]).await;
    bob.ask("emit", json!("go")).await;
    are_next(&mut sent, &ada, &["first go [1] 0", "first more [] 0"]).await;
    ada.event("last").await;
    bob.ask("emit", json!("after")).await;
    assert_eq!(ada.event("after").await, json!(1));
    assert!(sent.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_hears_the_events_of_the_chat_too() {
    let (told, mut sent) = unbounded_channel();
    let heard = noting(&told, "chat");
    let server = TestServer::with(|_| (), |server| server.root(|root: Events| root.on_any_outgoing(heard))).await;
    let (mut ada, mut bob) = (Client::named(server.address, "Ada").await, Client::named(server.address, "Bob").await);
    let mut messages: Vec<Value> = Vec::new();
    for text in ["one", "two"] {
        ada.done("send-message", json!({ "text": text })).await;
        messages.push(bob.event("message-saved").await);
    }
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let (id, text) = soon(sent.recv()).await.unwrap();
        if id == bob.sid && text.starts_with("chat message-saved ") {
            let text = text.strip_prefix("chat message-saved ").unwrap().strip_suffix(" 0").unwrap();
            heard.push(serde_json::from_str::<Value>(text).unwrap()[0].clone());
        }
    }
    assert_eq!(heard, messages);
}
