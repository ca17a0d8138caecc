//! Namespaces that come and go: at run time, by pattern and by function.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::{Value, json};
use sockeye::{Code, Ctx, Entrant, Events, Io, Refusal};

use crate::{
    client::{Client, Heard},
    harness::{TestServer, soon},
};

/// A client in a namespace.
async fn member(address: SocketAddr, namespace: &str) -> Client {
    let mut client = Client::open(address, "", &[]).await.unwrap();
    client.connect(namespace, &json!({})).await.expect("it is let in");
    client
}

async fn refusal(address: SocketAddr, namespace: &str, auth: &Value) -> String {
    let mut client = Client::open(address, "", &[]).await.unwrap();
    client.connect(namespace, auth).await.expect_err("it is refused")
}

/// Waits until the namespaces are these.
async fn until(io: &Io, namespaces: &[&str]) {
    soon(async {
        while io.namespaces() != namespaces {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn echo(answer: &'static str) -> Events {
    Events::new().on("who", move |_: Ctx, ()| std::future::ready(answer))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_added_and_removed_while_the_server_runs() {
    let mut handle = None;
    let server = TestServer::bare(|server| {
        handle = Some(server.io());
        server
    })
    .await;
    let io = handle.unwrap();
    assert_eq!(refusal(server.address, "/late", &json!({})).await, "Invalid namespace");
    io.add_namespace("/late", echo("first")).unwrap();
    assert_eq!(io.namespaces(), ["/", "/late"]);
    let (mut ada, mut bob) = (member(server.address, "/late").await, member(server.address, "/late").await);
    assert_eq!(ada.ask("who", json!(null)).await, "first");
    io.of("late").emit("news", 1).unwrap();
    assert_eq!((ada.event("news").await, bob.event("news").await), (json!(1), json!(1)));

    assert_eq!(io.add_namespace("late", Events::new()).unwrap_err().code(), Code::Conflict);
    assert_eq!(io.add_namespace("/", Events::new()).unwrap_err().code(), Code::Conflict);
    assert_eq!(io.add_namespace("/{broken", Events::new()).unwrap_err().code(), Code::BadPayload);

    assert!(io.remove_namespace("/late"));
    ada.wait(|heard| *heard == Heard::Disconnect).await;
    bob.wait(|heard| *heard == Heard::Disconnect).await;
    assert_eq!(ada.connect("/late", &json!({})).await.unwrap_err(), "Invalid namespace");
    until(&io, &["/"]).await;
    assert!(!io.remove_namespace("/late"));
    assert!(!io.remove_namespace("/"));

    io.add_namespace("/late", echo("second")).unwrap();
    ada.connect("/late", &json!({})).await.unwrap();
    assert_eq!(ada.ask("who", json!(null)).await, "second");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_server_is_open_no_namespace_is_added_by_its_handle() {
    let io = sockeye::Server::bare(sockeye::Config::bare()).io();
    assert_eq!(io.add_namespace("/early", Events::new()).unwrap_err().code(), Code::Unavailable);
    assert!(!io.remove_namespace("/early"));
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_and_middleware_read_the_parameters_of_a_pattern() {
    let orders = Events::new()
        .middleware(async |entrant: Entrant| match entrant.param("id") {
            Some("0") => Err(Refusal::new("no such order", None)),
            _ => Ok(()),
        })
        .on("params", async |ctx: Ctx, ()| {
            let texts = ["tenant", "id", "other"].map(|name| ctx.param(name).map(str::to_owned));
            texts.to_vec()
        });
    let server = TestServer::bare(|server| server.namespace("/{tenant}/orders-{id}", orders)).await;
    let mut ada = member(server.address, "/acme/orders-7").await;
    assert_eq!(ada.ask("params", json!(null)).await, json!(["acme", "7", null]));
    assert_eq!(refusal(server.address, "/acme/orders-0", &json!({})).await, "no such order");
    assert_eq!(refusal(server.address, "/orders-7", &json!({})).await, "Invalid namespace");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emit_to_a_pattern_reaches_all_its_namespaces_and_no_others() {
    let mut handle = None;
    let joining = || Events::new().on("join", async |ctx: Ctx, room: String| ctx.join(&room));
    let server = TestServer::bare(|server| {
        handle = Some(server.io());
        let server = server.namespace("/orders-{id}", joining()).namespace("/rooms-{id}", joining());
        server.namespace_if("tenants", async |path, _| path.starts_with("/tenant-"), joining())
    })
    .await;
    let (io, at) = (handle.unwrap(), server.address);
    let (mut one, mut two) = (member(at, "/orders-1").await, member(at, "/orders-2").await);
    let (mut room, mut tenant) = (member(at, "/rooms-1").await, member(at, "/tenant-a").await);
    two.ask("join", json!("vip")).await;

    let orders = io.of_pattern("/orders-{id}");
    orders.to("vip").emit("for vips", ()).unwrap();
    orders.emit("news", 1).unwrap();
    io.of_pattern("tenants").emit("news", 2).unwrap();
    io.of_pattern("nothing").emit("news", 3).unwrap();
    io.of_pattern("/rooms-{id}").emit("news", 4).unwrap();
    assert_eq!((one.event("news").await, two.event("news").await), (json!(1), json!(1)));
    assert_eq!((tenant.event("news").await, room.event("news").await), (json!(2), json!(4)));
    assert_eq!((one.kept("for vips").len(), two.kept("for vips").len()), (0, 1));
    assert_eq!(orders.fetch_sockets().await.len(), 2);
    assert_eq!(orders.all_rooms(), ["vip"]);

    let asking = tokio::spawn(async move { orders.emit_with_ack::<String>("who", ()).await.unwrap() });
    for (client, path) in [(&mut one, "/orders-1"), (&mut two, "/orders-2")] {
        while !client.next_text().await.contains(r#"["who"]"#) {}
        client.raw(&format!(r#"43{path},0["{path}"]"#)).await;
    }
    let answers = soon(asking).await.unwrap();
    let mut answers: Vec<_> = answers.into_iter().map(|(_, answer)| answer.unwrap()).collect();
    answers.sort();
    assert_eq!(answers, ["/orders-1", "/orders-2"]);

    let vips = io.of_pattern("/orders-{id}").to("vip").fetch_sockets().await;
    let [vip] = vips.as_slice() else { panic!("one socket is in the room, not {}", vips.len()) };
    assert_eq!(vip.handshake().query("EIO").as_deref(), Some("4"));
    let vip = vip.clone();
    let asking = tokio::spawn(async move { vip.emit_with_ack::<u8>("how many", (), Duration::from_secs(10)).await });
    let question = loop {
        match two.next_text().await {
            text if text.ends_with(r#"["how many"]"#) => break text,
            _ => {}
        }
    };
    let id = question.strip_prefix("42/orders-2,").and_then(|text| text.split_once('[')).map(|(id, _)| id);
    two.raw(&format!("43/orders-2,{}[5]", id.expect("the question has an id"))).await;
    assert_eq!(soon(asking).await.unwrap().unwrap(), 5);

    assert!(io.remove_namespace("/orders-{id}"));
    one.wait(|heard| *heard == Heard::Disconnect).await;
    two.wait(|heard| *heard == Heard::Disconnect).await;
    assert_eq!(refusal(at, "/orders-1", &json!({})).await, "Invalid namespace");
    until(&io, &["/", "/rooms-1", "/tenant-a"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_admits_clients_to_namespaces_by_path_and_auth() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asks = asked.clone();
    let server = TestServer::bare(|server| {
        let by_key = move |path: Arc<str>, auth: Value| {
            asks.lock().push(path.to_string());
            async move {
                assert_ne!(&*path, "/panic");
                path.starts_with("/tenant-") && auth["key"] == "s3cret"
            }
        };
        let server = server.namespace("/tenant-0", echo("path")).namespace_if("keys", by_key, echo("key"));
        server.namespace_if("even", async |path, _| path.ends_with('2'), echo("even"))
    })
    .await;
    let at = server.address;
    let mut ada = Client::open(at, "", &[]).await.unwrap();
    ada.connect("/tenant-2", &json!({ "key": "s3cret" })).await.unwrap();
    assert_eq!(ada.ask("who", json!(null)).await, "key");
    let mut bob = member(at, "/tenant-0").await;
    assert_eq!(bob.ask("who", json!(null)).await, "path");
    assert_eq!(refusal(at, "/tenant-1", &json!({ "key": "wrong" })).await, "Invalid namespace");
    assert_eq!(refusal(at, "/other", &json!({ "key": "s3cret" })).await, "Invalid namespace");
    // Its function is asked for every client, and no other one.
    assert_eq!(refusal(at, "/tenant-2", &json!({})).await, "Invalid namespace");
    let mut eve = member(at, "/x2").await;
    assert_eq!(eve.ask("who", json!(null)).await, "even");
    assert_eq!(*asked.lock(), ["/tenant-2", "/tenant-1", "/other", "/tenant-2", "/x2"]);
    refusal(at, "/panic", &json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_told_of_new_namespaces_and_they_go_with_their_last_socket() {
    for keeps in [false, true] {
        let mut handle = None;
        let told = Arc::new(Mutex::new(Vec::new()));
        let server = TestServer::bare(|server| {
            handle = Some(server.io());
            let server = server.cleanup_empty_child_namespaces(!keeps).namespace("/fixed", Events::new());
            let told = told.clone();
            let server = server.new_namespace(move |namespace| told.lock().push(namespace.path().to_owned()));
            server.namespace("/orders-{id}", Events::new())
        })
        .await;
        let io = handle.unwrap();
        // From then on the server is open.
        let _first = member(server.address, "/fixed").await;
        io.add_namespace("/late", Events::new()).unwrap();
        io.add_namespace("/games-{id}", Events::new()).unwrap();
        let mut ada = member(server.address, "/orders-1").await;
        let mut bob = member(server.address, "/orders-1").await;
        let mut eve = member(server.address, "/late").await;
        assert_eq!(*told.lock(), ["/fixed", "/late", "/orders-1"]);
        ada.raw("41/orders-1,").await;
        bob.raw("41/orders-1,").await;
        eve.raw("41/late,").await;
        ada.connect("/orders-2", &json!({})).await.unwrap();
        if keeps {
            until(&io, &["/", "/fixed", "/late", "/orders-1", "/orders-2"]).await;
            while io.socket_count() > 2 {
                tokio::task::yield_now().await;
            }
            member(server.address, "/orders-1").await;
            assert_eq!(*told.lock(), ["/fixed", "/late", "/orders-1", "/orders-2"]);
            assert!(io.remove_namespace("/orders-2"));
            ada.wait(|heard| *heard == Heard::Disconnect).await;
            until(&io, &["/", "/fixed", "/late", "/orders-1"]).await;
        } else {
            until(&io, &["/", "/fixed", "/late", "/orders-2"]).await;
            member(server.address, "/orders-1").await;
            assert_eq!(*told.lock(), ["/fixed", "/late", "/orders-1", "/orders-2", "/orders-1"]);
        }
    }
}
