//! A server that is mounted in an axum application: under `axum::serve` over TCP, over TLS, and over pipes within the
//! process.

mod application;

use std::{future::ready, sync::Arc, time::Duration};

use axum::{Router, extract::State, routing::get};
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sockeye::{Config, Ctx, DisconnectReason, Entrant, Io, Server};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use self::application::{ALL, Application, Over, Polling};
use crate::{client::Stream, harness::soon};

async fn text(websocket: &mut WebSocketStream<Box<dyn Stream>>) -> String {
    soon(websocket.next()).await.expect("a message").unwrap().into_text().unwrap().to_string()
}

fn config() -> Config {
    let mut config = Config::bare();
    config.server.drain = Duration::from_millis(100);
    config
}

fn echo(config: Config) -> Server {
    Server::bare(config).on("echo", async |_: Ctx, text: String| text)
}

async fn application(over: Over, server: Server) -> Application {
    Application::serve(over, Router::new(), server.open().unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_are_served_beside_the_routes_of_the_application_with_one_state() {
    #[derive(Clone)]
    struct Shared {
        words: Arc<Mutex<Vec<String>>>,
        io: Io,
    }
    async fn announce(State(shared): State<Shared>) -> String {
        let words = shared.words.lock().join(" ");
        shared.io.to("readers").emit("announced", &words).unwrap();
        words
    }
    for over in ALL {
        let server = echo(config());
        let shared = Shared { words: Arc::default(), io: server.io() };
        let words = shared.words.clone();
        let server = server.connection(async |ctx: Ctx| ctx.join("readers")).on("say", move |_: Ctx, word| {
            words.lock().push(word);
            ready(true)
        });
        let router = Router::new().route("/announce", get(announce)).route("/health", get("mine")).with_state(shared);
        let application = Application::serve(over, router, server.open().unwrap()).await;
        let (mut ada, mut bob) = (application.client().await, application.client().await);
        ada.ask("say", json!("hello")).await;
        bob.ask("say", json!("world")).await;
        assert_eq!(application.get("/announce").await, "hello world");
        for client in [&mut ada, &mut bob] {
            assert_eq!(client.event("announced").await, "hello world", "{over:?}");
        }
        assert_eq!(application.get("/health").await, "mine", "the application's route comes first");
        assert_eq!(application.get("/ready").await, "ready\n");
        assert_eq!(application.request("GET", "/nothing", "").await.0, 404);
        application.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn polling_clients_are_served_and_upgraded() {
    for over in ALL {
        let application = application(over, echo(config())).await;
        let polling = Polling::open(&application).await;
        polling.post(r#"421["echo","over polling"]"#).await;
        assert_eq!(polling.get().await, r#"431["over polling"]"#, "{over:?}");
        let mut websocket = polling.websocket().await;
        websocket.send(Message::text("2probe")).await.unwrap();
        assert_eq!(text(&mut websocket).await, "3probe");
        websocket.send(Message::text("5")).await.unwrap();
        websocket.send(Message::text(r#"422["echo","over a WebSocket"]"#)).await.unwrap();
        assert_eq!(text(&mut websocket).await, r#"432["over a WebSocket"]"#, "{over:?}");
        let (status, _) = application.request("GET", &polling.path, "").await;
        assert_eq!(status, 400, "{over:?}: it polls no more");
        application.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_recovers_its_socket() {
    for over in ALL {
        let mut config = config();
        config.recovery.window = Duration::from_secs(60);
        let server = Server::bare(config);
        let io = server.io();
        let application = application(over, server).await;
        let mut first = application.open(&[]).await;
        first.raw("40").await;
        let connected: Value = serde_json::from_str(&first.next_text().await[2..]).unwrap();
        io.emit("heard", 1).unwrap();
        let heard = first.next_text().await;
        let arguments: Value = serde_json::from_str(heard.strip_prefix("42").expect(&heard)).unwrap();
        let offset = arguments.as_array().unwrap().last().unwrap();
        drop(first);
        io.emit("missed", 2).unwrap();
        let mut second = application.open(&[]).await;
        second.raw(&format!("40{}", json!({ "pid": connected["pid"], "offset": offset }))).await;
        // Its CONNECT and what it has missed, in whichever order they come.
        let (mut is_same, mut has_missed) = (false, false);
        while !(is_same && has_missed) {
            let text = second.next_text().await;
            is_same |= text.starts_with("40") && text.contains(connected["sid"].as_str().unwrap());
            has_missed |= text.starts_with(r#"42["missed",2"#);
        }
        application.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_goes_both_ways() {
    for over in ALL {
        let application = application(over, echo(config())).await;
        let large = "x".repeat(950_000);
        let mut client = application.client().await;
        for _ in 0..3 {
            assert_eq!(client.ask("echo", json!(large)).await, large, "{over:?}");
        }
        let polling = Polling::open(&application).await;
        polling.post(&format!(r#"421["echo","{large}"]"#)).await;
        assert_eq!(polling.get().await, format!(r#"431["{large}"]"#), "{over:?}");
        application.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_receives_everything_in_order_and_a_slower_one_is_dropped() {
    for over in ALL {
        let (report, mut reports) = mpsc::unbounded_channel();
        let mut config = config();
        config.limits.queued_bytes = 30_000_000;
        let server = Server::bare(config).disconnect(move |ctx: Ctx, reason| {
            report.send((ctx.id().to_string(), reason)).unwrap();
            ready(())
        });
        let io = server.io();
        let application = application(over, server).await;
        let mut slow = application.client().await;
        let text = "x".repeat(500_000);
        for number in 0..40 {
            io.emit("large", (number, &text)).unwrap();
        }
        // More than any buffer of a system holds is unsent now.
        for number in 0..40 {
            assert_eq!(slow.event("large").await, number, "{over:?}");
        }
        slow.fence().await;
        let slower = application.client().await;
        let reason = soon(async {
            loop {
                io.emit("large", (0, &text)).unwrap();
                slow.event("large").await;
                if let Ok((id, reason)) = reports.try_recv() {
                    assert_eq!(id, slower.sid);
                    break reason;
                }
            }
        })
        .await;
        assert_eq!(reason, DisconnectReason::SlowConsumer, "{over:?}");
        drop(slower);
        slow.fence().await;
        application.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_that_its_client_closes_ends_as_its_stream_does() {
    for over in ALL {
        let application = application(over, echo(config())).await;
        let url = "ws://localhost/socket.io/?EIO=4&transport=websocket";
        let stream = application.dial().await;
        let config = WebSocketConfig::default();
        let connected = tokio_tungstenite::client_async_with_config(url, stream, Some(config));
        let (mut websocket, _) = soon(connected).await.unwrap();
        websocket.close(None).await.unwrap();
        // Over TLS, a stream that ends without `close_notify` would be an error.
        while let Some(message) = soon(websocket.next()).await {
            message.expect("a message, or the end");
        }
        application.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_drains_clients_and_then_the_application_ends() {
    for over in ALL {
        let (report, mut reports) = mpsc::unbounded_channel();
        let server = echo(config()).disconnect(move |_: Ctx, reason| {
            report.send(reason).unwrap();
            ready(())
        });
        let application = application(over, server).await;
        let mut client = application.client().await;
        let polling = Polling::open(&application).await;
        let closed = async {
            client.closed().await;
            for _ in 0..2 {
                assert_eq!(soon(reports.recv()).await, Some(DisconnectReason::ServerShuttingDown), "{over:?}");
            }
        };
        application.begin_to_close();
        let fetched = async { while polling.get().await.split('\u{1e}').next_back() != Some("1") {} };
        tokio::join!(fetched, closed);
        application.end().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_background_task_that_ends_closes_the_server_and_is_the_error() {
    let mut server = echo(config()).open().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    server.watch("the application's", async { drop(ended.await) });
    let application = Application::serve(Over::Tcp, Router::new(), server).await;
    let mut client = application.client().await;
    drop(end);
    client.closed().await;
    let error = application.end().await.unwrap_err().to_string();
    assert_eq!(error, "the server could not go on: the application's returned");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_is_that_of_connect_info_or_of_a_trusted_proxy() {
    for (over, address) in [(Over::Tcp, "203.0.113.9"), (Over::Tls, "203.0.113.9"), (Over::Pipe, "none")] {
        let mut config = config();
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        let server = echo(config).middleware(move |entrant: Entrant| {
            noted
                .lock()
                .push(entrant.handshake.address().map_or_else(|| "none".to_owned(), |address| address.to_string()));
            ready(Ok(()))
        });
        let application = application(over, server).await;
        application.client().await;
        application.open(&[("x-forwarded-for", "203.0.113.9")]).await.connect("", &json!({})).await.unwrap();
        let peer = if over == Over::Pipe { "none" } else { "127.0.0.1" };
        assert_eq!(*seen.lock(), [peer, address], "{over:?}");
        application.close().await.unwrap();
    }
}
