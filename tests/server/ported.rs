//! What applications that were written for Node bring with them: names of rooms and namespaces, and routers.

use axum::Router;
use serde_json::json;
use sockeye::{Config, Ctx, Entrant, Events, Server};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    client::Client,
    harness::{TestServer, get},
};

async fn member(server: &TestServer, namespace: &str) -> Client {
    let mut client = Client::open(server.address, "", &[]).await.unwrap();
    client.connect(namespace, &json!({})).await.expect("it is let in");
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_a_bare_server_have_any_names() {
    let server = TestServer::bare(|server| {
        server
            .middleware(async |entrant: Entrant| entrant.join("dm:everyone").map_err(Into::into))
            .on("join", async |ctx: Ctx, room: String| ctx.join(&room))
            .on("is in", async |ctx: Ctx, room: String| ctx.is_in(&room))
            .on("say", async |ctx: Ctx, room: String| ctx.nsp().to(room.as_str()).emit("said", room))
            .on("leave", async |ctx: Ctx, room: String| {
                ctx.nsp().in_room(&room).sockets_leave(&room)?;
                ctx.leave(&room)
            })
    })
    .await;
    let (mut ada, mut bob) = (member(&server, "").await, member(&server, "").await);
    let long = "x".repeat(1_000);
    for room in ["dm:ada:bob", "", " ", "line\nbreak", "\u{1}dm:1:a:b", "dm:everyone", &long] {
        ada.ask("join", json!(room)).await;
        assert_eq!(ada.ask("is in", json!(room)).await, json!(true), "{room:?}");
        bob.ask("say", json!(room)).await;
        assert_eq!(ada.event("said").await, json!(room));
        assert_eq!(bob.ask("is in", json!(room)).await, json!(room == "dm:everyone"), "{room:?}");
        ada.ask("leave", json!(room)).await;
        assert_eq!(ada.ask("is in", json!(room)).await, json!(false), "{room:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_may_be_named_without_its_slash() {
    let mut handle = None;
    let server = TestServer::bare(|server| {
        handle = Some(server.io());
        server.namespace("admin", Events::new()).namespace("orders-{id}", Events::new())
    })
    .await;
    let io = handle.unwrap();
    let (mut ada, mut bob) = (member(&server, "/admin").await, member(&server, "/orders-7").await);
    io.of("admin").emit("news", 1).unwrap();
    assert_eq!(ada.event("news").await, json!(1));
    io.of_pattern("orders-{id}").emit("news", 2).unwrap();
    assert_eq!(bob.event("news").await, json!(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_of_an_event_that_no_client_sends_is_refused() {
    let server = TestServer::bare(|server| {
        server.on("listen", async |ctx: Ctx, name: String| {
            ctx.on(&name, async |_: Ctx, ()| ());
        })
    })
    .await;
    let mut ada = member(&server, "").await;
    assert_eq!(ada.ask("listen", json!("disconnect")).await["error"]["code"], "unavailable");
    assert_eq!(ada.ask("listen", json!("news")).await, json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_has_only_a_fallback_is_served() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (close, closed) = oneshot::channel::<()>();
    let server = Server::bare(Config::bare()).open().unwrap();
    let router = Router::new().fallback(async || "a page");
    let serving = tokio::spawn(server.serve(listener, router, async { drop(closed.await) }));
    assert_eq!(get(address, "/any/page", &[]).await.body, "a page");
    drop(close);
    serving.await.unwrap().unwrap();
}
