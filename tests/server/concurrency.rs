//! Handlers of a socket that overlap.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use serde_json::json;
use sockeye::{Ctx, Events, Server};
use tokio::sync::{Semaphore, mpsc};

use crate::{
    client::Client,
    harness::{TestServer, soon},
};

/// Handlers that say when they begin, and wait until they may end.
#[derive(Clone)]
struct Gate {
    begun: mpsc::UnboundedSender<String>,
    /// One permit lets one handler end.
    open: Arc<Semaphore>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    ended: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    fn new() -> (Self, mpsc::UnboundedReceiver<String>) {
        let (begun, beginnings) = mpsc::unbounded_channel();
        let open = Arc::new(Semaphore::new(0));
        (Self { begun, open, running: Arc::default(), most: Arc::default(), ended: Arc::default() }, beginnings)
    }

    async fn pass(self, name: String) -> String {
        self.most.fetch_max(self.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        self.begun.send(name.clone()).unwrap();
        self.open.acquire().await.unwrap().forget();
        self.running.fetch_sub(1, Ordering::SeqCst);
        self.ended.lock().push(name.clone());
        name
    }

    /// The events of a namespace: `wait`, and what runs at the end.
    fn events(&self) -> Events {
        let (handler, gate) = (self.clone(), self.clone());
        Events::new().on("wait", move |_: Ctx, name: String| handler.clone().pass(name)).disconnect(move |_, _| {
            gate.ended.lock().push(format!("disconnect of {}", gate.running.load(Ordering::SeqCst)));
            gate.begun.send("disconnect".to_owned()).unwrap();
            std::future::ready(())
        })
    }
}

async fn connected(address: SocketAddr) -> Client {
    let mut client = Client::open(address, "", &[]).await.unwrap();
    client.connect("", &json!({})).await.unwrap();
    client
}

async fn server(build: impl FnOnce(Server) -> Server) -> (TestServer, Client) {
    let server = TestServer::bare(build).await;
    let client = connected(server.address).await;
    (server, client)
}

async fn are_next(beginnings: &mut mpsc::UnboundedReceiver<String>, expected: &[&str]) {
    for expected in expected {
        assert_eq!(soon(beginnings.recv()).await.unwrap(), *expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_of_a_socket_overlap_up_to_the_number_and_the_disconnect_handler_waits_for_them() {
    let (gate, mut beginnings) = Gate::new();
    let (_server, mut ada) = server(|server| server.root(|_| gate.events().concurrently(3))).await;
    for name in ["a", "b", "c", "d", "e"] {
        ada.send("wait", json!(name)).await;
    }
    are_next(&mut beginnings, &["a", "b", "c"]).await;
    ada.fence().await;
    assert!(beginnings.is_empty());
    gate.open.add_permits(1);
    are_next(&mut beginnings, &["d"]).await;
    assert_eq!(ada.reply(0).await, json!("a"));
    // The last event of a client that goes, and then the end: both wait.
    ada.raw("41").await;
    ada.fence().await;
    assert!(beginnings.is_empty());
    gate.open.add_permits(4);
    are_next(&mut beginnings, &["e", "disconnect"]).await;
    let ended = gate.ended.lock().clone();
    assert_eq!((ended.len(), ended.last().unwrap().as_str()), (6, "disconnect of 0"));
    assert_eq!(gate.most.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_it_an_event_waits_for_the_one_before_it() {
    let (gate, mut beginnings) = Gate::new();
    let (_server, mut ada) = server(|server| server.root(|_| gate.events().concurrently(1))).await;
    ada.send("wait", json!("a")).await;
    ada.send("wait", json!("b")).await;
    are_next(&mut beginnings, &["a"]).await;
    ada.fence().await;
    assert!(beginnings.is_empty());
    gate.open.add_permits(1);
    are_next(&mut beginnings, &["b"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_overlap_behind_middleware_and_catch_alls_too() {
    let (gate, mut beginnings) = Gate::new();
    let (_server, mut ada) = server(|server| {
        let events = gate.events().concurrently(2).on_any(async |_, _, _| tokio::task::yield_now().await);
        server.root(|_| {
            events.event_middleware(async |_, _, _| {
                tokio::task::yield_now().await;
                Ok(())
            })
        })
    })
    .await;
    for name in ["a", "b", "c", "d"] {
        ada.send("wait", json!(name)).await;
    }
    let mut begun = vec![soon(beginnings.recv()).await.unwrap(), soon(beginnings.recv()).await.unwrap()];
    gate.open.add_permits(2);
    begun.extend([soon(beginnings.recv()).await.unwrap(), soon(beginnings.recv()).await.unwrap()]);
    gate.open.add_permits(2);
    begun.sort();
    assert_eq!(begun, ["a", "b", "c", "d"]);
    for (id, name) in ["a", "b", "c", "d"].iter().enumerate() {
        assert_eq!(ada.reply(id as u64).await, json!(name));
    }
    assert_eq!(gate.most.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_waits_for_its_client_does_not_count() {
    let (gate, mut beginnings) = Gate::new();
    let (_server, mut ada) = server(|server| {
        let asks = async |ctx: Ctx, ()| ctx.emit_with_ack::<u8>("question", ()).await;
        server.root(|_| gate.events().concurrently(2).on("ask", asks))
    })
    .await;
    let asked = [ada.send("ask", json!(null)).await, ada.send("ask", json!(null)).await];
    for _ in asked {
        ada.event("question").await;
    }
    ada.send("wait", json!("a")).await;
    ada.send("wait", json!("b")).await;
    ada.send("wait", json!("c")).await;
    are_next(&mut beginnings, &["a", "b"]).await;
    ada.raw("430[1]").await;
    ada.raw("431[2]").await;
    assert_eq!((ada.reply(asked[0]).await, ada.reply(asked[1]).await), (json!(1), json!(2)));
    assert!(beginnings.is_empty());
    gate.open.add_permits(3);
    are_next(&mut beginnings, &["c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_runs_after_a_middleware_that_asks_the_client() {
    let (_server, mut ada) = server(|server| {
        server.root(|root| {
            let root =
                root.event_middleware(async |ctx: Ctx, _, _| ctx.emit_with_ack::<u8>("may I", ()).await.map(drop));
            root.on("who", async |_: Ctx, ()| "handled")
        })
    })
    .await;
    let id = ada.send("who", json!(null)).await;
    ada.event("may I").await;
    ada.raw("430[1]").await;
    assert_eq!(ada.reply(id).await, json!("handled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_the_chat_keep_their_order_beside_handlers_that_overlap() {
    let (gate, mut beginnings) = Gate::new();
    let handler = gate.clone();
    let wait = move |_: Ctx, name: String| handler.clone().pass(name);
    let build = |server: Server| server.root(|root| root.concurrently(4).on("wait", wait));
    let server = TestServer::with(|_| (), build).await;
    let (mut ada, mut bob) = (Client::named(server.address, "Ada").await, Client::named(server.address, "Bob").await);
    let first = ada.send("wait", json!("a")).await;
    let mut frames = Vec::new();
    for number in 0..20 {
        frames.push(format!("42{}", json!(["send-message", { "text": number.to_string() }])));
        frames.push(format!("42{}", json!(["wait", format!("b{number}")])));
    }
    ada.at_once(frames).await;
    are_next(&mut beginnings, &["a"]).await;
    gate.open.add_permits(21);
    for number in 0..20 {
        assert_eq!(bob.event("message-saved").await["message"]["body"]["text"], number.to_string());
        are_next(&mut beginnings, &[&format!("b{number}")]).await;
    }
    assert_eq!(ada.reply(first).await["data"], "a");
}
