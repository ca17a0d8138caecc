//! An observer is told of rooms, refused requests and upgrades.

use std::{net::SocketAddr, sync::Arc};

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sockeye::{ConnectionError, Ctx, Events, Io, Observer, SocketId};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::Client,
    harness::{TestServer, get, soon},
};

/// Notes what it is told. In a room it uses the server itself.
struct Notes {
    told: UnboundedSender<String>,
    io: Io,
}

impl Notes {
    fn note(&self, text: String) {
        self.told.send(text).unwrap();
    }
}

impl Observer for Notes {
    fn room_created(&self, namespace: &str, room: &str) {
        self.note(format!("created {namespace} {room}"));
    }

    fn room_joined(&self, namespace: &str, room: &str, socket: SocketId) {
        let namespace = self.io.of(namespace);
        namespace.to(room).emit("joined", socket.to_string()).unwrap();
        namespace.to(socket).sockets_join("everybody").unwrap();
        self.note(format!("joined {} {room}", namespace.path()));
    }

    fn room_left(&self, namespace: &str, room: &str, _: SocketId) {
        self.note(format!("left {namespace} {room}"));
        assert_ne!(room, "panic");
    }

    fn room_deleted(&self, namespace: &str, room: &str) {
        self.note(format!("deleted {namespace} {room}"));
    }

    fn connection_error(&self, error: &ConnectionError<'_>) {
        let ConnectionError { code, message, method, uri, address, .. } = error;
        assert!(address.is_some_and(|address| address.is_loopback()) && error.headers.contains_key("host"));
        self.note(format!("error {code} {message}: {method} {}", uri.path()));
    }

    fn upgraded(&self, sockets: &[SocketId]) {
        self.note(format!("upgraded {}", sockets.iter().map(ToString::to_string).collect::<String>()));
    }
}

/// Does nothing.
struct Idle;

impl Observer for Idle {}

async fn observed() -> (TestServer, UnboundedReceiver<String>) {
    let (told, notes) = unbounded_channel();
    let server = TestServer::bare(|server| {
        let io = server.io();
        let rooms = || {
            let events = Events::new().on("join", async |ctx: Ctx, room: String| ctx.join(&room));
            events.on("leave", async |ctx: Ctx, room: String| ctx.leave(&room))
        };
        server.root(|_| rooms()).namespace("/other", rooms()).observe(Idle).observe(Notes { told, io })
    })
    .await;
    (server, notes)
}

async fn connected(address: SocketAddr, namespace: &str) -> Client {
    let mut client = Client::open(address, "", &[]).await.unwrap();
    client.connect(namespace, &json!({})).await.unwrap();
    client
}

async fn are_next(notes: &mut UnboundedReceiver<String>, expected: &[&str]) {
    for expected in expected {
        assert_eq!(soon(notes.recv()).await.unwrap(), *expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_is_told_of_rooms_in_order_and_may_use_the_server() {
    let (server, mut notes) = observed().await;
    let (mut ada, mut bob) = (connected(server.address, "").await, connected(server.address, "/other").await);
    ada.ask("join", json!("a")).await;
    let of_ada = ["created / a", "joined / a", "created / everybody", "joined / everybody"];
    are_next(&mut notes, &of_ada).await;
    assert_eq!(ada.event("joined").await, json!(ada.sid));
    bob.ask("join", json!("a")).await;
    bob.ask("join", json!("a")).await;
    let of_bob = ["created /other a", "joined /other a", "created /other everybody", "joined /other everybody"];
    are_next(&mut notes, &of_bob).await;

    let mut eve = connected(server.address, "").await;
    eve.ask("join", json!("a")).await;
    are_next(&mut notes, &["joined / a", "joined / everybody"]).await;
    ada.ask("leave", json!("a")).await;
    ada.ask("leave", json!("a")).await;
    are_next(&mut notes, &["left / a"]).await;
    eve.ask("leave", json!("a")).await;
    are_next(&mut notes, &["left / a", "deleted / a"]).await;

    ada.ask("join", json!("panic")).await;
    are_next(&mut notes, &["created / panic", "joined / panic"]).await;
    ada.ask("leave", json!("panic")).await;
    are_next(&mut notes, &["left / panic", "deleted / panic"]).await;

    bob.raw("41/other,").await;
    let mut ended = Vec::new();
    for _ in 0..4 {
        ended.push(soon(notes.recv()).await.unwrap());
    }
    ended.sort();
    assert_eq!(ended, ["deleted /other a", "deleted /other everybody", "left /other a", "left /other everybody"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_many_threads_are_told_in_their_order() {
    /// The number of sockets in the room, as the changes say.
    #[derive(Default, Clone)]
    struct Counter(Arc<Mutex<(usize, bool)>>);
    impl Observer for Counter {
        fn room_created(&self, _: &str, _: &str) {
            assert_eq!(std::mem::replace(&mut *self.0.lock(), (0, true)), (0, false));
        }
        fn room_joined(&self, _: &str, _: &str, _: SocketId) {
            let mut state = self.0.lock();
            assert!(state.1);
            state.0 += 1;
        }
        fn room_left(&self, _: &str, _: &str, _: SocketId) {
            self.0.lock().0 -= 1;
        }
        fn room_deleted(&self, _: &str, _: &str) {
            assert_eq!(std::mem::take(&mut *self.0.lock()), (0, true));
        }
    }
    let counter = Counter::default();
    let server = TestServer::bare(|server| {
        let flips = async |ctx: Ctx, ()| {
            for _ in 0..50 {
                ctx.join("room")?;
                tokio::task::yield_now().await;
                ctx.leave("room")?;
            }
            ctx.join("room")
        };
        server.on("flip", flips).observe(counter.clone())
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(connected(server.address, "").await);
    }
    for client in &mut clients {
        client.send("flip", json!(null)).await;
    }
    for client in &mut clients {
        client.reply(0).await;
    }
    soon(async {
        while *counter.0.lock() != (4, true) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_is_told_of_refused_requests() {
    let (server, mut notes) = observed().await;
    for (query, expected) in [
        ("?EIO=4&transport=pigeon", "error 0 Transport unknown: GET /socket.io/"),
        ("?EIO=4&transport=polling&sid=x", "error 1 Session ID unknown: GET /socket.io/"),
        ("?EIO=4&transport=websocket", "error 3 Bad request: GET /socket.io/"),
    ] {
        assert_eq!(get(server.address, &format!("/socket.io/{query}"), &[]).await.status, 400);
        are_next(&mut notes, &[expected]).await;
    }
    assert_eq!(Client::open(server.address, "&sid=x", &[]).await.err(), Some(400));
    are_next(&mut notes, &["error 1 Session ID unknown: GET /socket.io/"]).await;
    assert_eq!(Client::open(server.address, "", &[("origin", "https://evil.example")]).await.err(), Some(403));
    are_next(&mut notes, &["error 4 Origin not allowed (cors.origins): GET /socket.io/"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_is_told_of_an_upgrade_to_a_websocket() {
    let (server, mut notes) = observed().await;
    let address = server.address;
    let open = get(address, "/socket.io/?EIO=4&transport=polling", &[]).await.body;
    let open: Value = serde_json::from_str(&open[1..]).unwrap();
    let session = format!("EIO=4&sid={}", open["sid"].as_str().unwrap());
    let mut post = soon(TcpStream::connect(address)).await.unwrap();
    let head = format!("POST /socket.io/?{session}&transport=polling HTTP/1.1\r\nHost: {address}\r\n");
    let rest = "Connection: close\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n40";
    post.write_all(format!("{head}{rest}").as_bytes()).await.unwrap();
    soon(post.read_to_end(&mut Vec::new())).await.unwrap();
    let connect = get(address, &format!("/socket.io/?{session}&transport=polling"), &[]).await.body;
    let connect: Value = serde_json::from_str(connect.strip_prefix("40").unwrap()).unwrap();

    let url = format!("ws://{address}/socket.io/?{session}&transport=websocket");
    let (mut stream, _) = soon(tokio_tungstenite::connect_async(url)).await.unwrap();
    stream.send(Message::text("2probe")).await.unwrap();
    assert_eq!(soon(stream.next()).await.unwrap().unwrap(), Message::text("3probe"));
    stream.send(Message::text("5")).await.unwrap();
    are_next(&mut notes, &[&format!("upgraded {}", connect["sid"].as_str().unwrap())]).await;
}
