//! Restarts that keep the sockets: of servers with handlers of their own, and with a listener that outlives the process.
//! `tests/clients/restart.test.js` has those of the chat with the official client.

use std::{net::TcpListener, os::fd::OwnedFd, path::Path, process::Stdio, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sockeye::{Config, Ctx, DisconnectReason, Entrant, Events, Server, User, UserId};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    client::Client,
    harness::{Binary, TestServer, soon},
};

#[derive(Clone, Default, Serialize, Deserialize)]
struct Cart(Vec<String>);

/// Data that no server declares.
#[derive(Clone)]
struct Unwritable;

/// Tells the client what its socket has kept.
async fn hello(ctx: Ctx) -> sockeye::Result<()> {
    let cart = ctx.data().get::<Cart>().unwrap_or_default().0;
    let address = ctx.handshake().address().is_some();
    ctx.emit("hello", json!([ctx.recovered(), ctx.rooms(), cart, ctx.user().id, address]))
}

fn events() -> Events {
    Events::new()
        .middleware(async |entrant: Entrant| {
            if let Some(user) = entrant.auth["user"].as_str() {
                entrant.set_user(User::new(UserId::parse(user).unwrap(), user).unwrap());
            }
            entrant.join("all").map_err(Into::into)
        })
        .connection(hello)
        .on("add", async |ctx: Ctx, item: String| ctx.data().update(|cart: &mut Cart| cart.0.push(item)))
        .on("spoil", async |ctx: Ctx, ()| {
            ctx.data().insert(Unwritable);
        })
        .on("join", async |ctx: Ctx, room: String| ctx.join(&room))
        .on("shout", async |ctx: Ctx, text: String| ctx.nsp().emit("shouted", text))
}

fn server(config: Config) -> Server {
    Server::bare(config).keep_data::<Cart>("cart").root(|_| events()).namespace("/orders-{id}", events()).namespace_if(
        "tenants",
        async |path, _| path.starts_with("/tenant-"),
        events(),
    )
}

/// Starts a server without the chat that keeps its sockets in this folder.
async fn start(folder: &Path, build: impl FnOnce(Server) -> Server) -> TestServer {
    let config = keeping_in(folder);
    TestServer::with(|_| (), |_| build(server(config))).await
}

fn keeping_in(folder: &Path) -> Config {
    let mut config = Config::bare();
    config.recovery.window = Duration::from_secs(60);
    config.recovery.path = folder.to_owned();
    config.server.drain = Duration::ZERO;
    config
}

/// A client and the secret with which it recovers its socket.
struct Member {
    client: Client,
    namespace: String,
    pid: String,
    sid: String,
}

impl Member {
    async fn connect(server: &TestServer, namespace: &str, auth: Value) -> Self {
        let mut client = Client::open(server.address, "", &[]).await.unwrap();
        let path = if namespace == "/" { String::new() } else { format!("{namespace},") };
        client.raw(&format!("40{path}{auth}")).await;
        let answer = loop {
            let text = client.next_text().await;
            if let Some(answer) = text.strip_prefix(&format!("40{path}")) {
                break serde_json::from_str::<Value>(answer).unwrap();
            }
            assert!(text.starts_with("42"), "{text}");
        };
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Self { client, namespace: namespace.to_owned(), pid: text("pid"), sid: text("sid") }
    }

    /// What the connection handler tells: whether the socket was recovered, its rooms, its data, its user, and whether
    /// the address is known.
    async fn hello(&mut self) -> Value {
        let prefix = if self.namespace == "/" { String::new() } else { format!("{},", self.namespace) };
        loop {
            let text = soon(self.client.next_text()).await;
            let Some(event) = text.strip_prefix(&format!("42{prefix}")) else { continue };
            let event: Value = serde_json::from_str(event).unwrap();
            if event[0] == "hello" {
                return event[1].clone();
            }
        }
    }

    /// Emits and waits for the acknowledgement.
    async fn tell(&mut self, event: &str, argument: Value) {
        let path = if self.namespace == "/" { String::new() } else { format!("{},", self.namespace) };
        self.client.raw(&format!("42{path}1{}", json!([event, argument]))).await;
        while !soon(self.client.next_text()).await.starts_with(&format!("43{path}1")) {}
    }

    /// Comes back to another process.
    async fn back(self, server: &TestServer) -> Self {
        Self::connect(server, &self.namespace, json!({ "pid": self.pid })).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_has_its_rooms_user_and_data_in_the_next_process_and_its_connection_handler_runs() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path(), |server| server).await;
    let mut members = Vec::new();
    for namespace in ["/", "/orders-7", "/tenant-a"] {
        let mut member = Member::connect(&first, namespace, json!({ "user": "ada" })).await;
        assert_eq!(member.hello().await, json!([false, ["all"], [], "ada", true]), "{namespace}");
        member.tell("add", json!(namespace)).await;
        member.tell("join", json!("den")).await;
        members.push(member);
    }
    first.stop().await;
    let second = start(folder.path(), |server| server).await;
    let mut eve = Member::connect(&second, "/orders-7", json!({})).await;
    eve.tell("shout", json!("while they are away")).await;
    for member in members {
        let (namespace, sid) = (member.namespace.clone(), member.sid.clone());
        let mut member = member.back(&second).await;
        assert_eq!(member.sid, sid, "{namespace}");
        assert_eq!(member.hello().await, json!([true, ["all", "den"], [namespace], "ada", true]));
    }
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_whose_data_is_not_declared_ends_with_its_process_and_others_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Arc::new(Mutex::new(Vec::new()));
    let noted = ended.clone();
    let first = start(folder.path(), |server| {
        server.root(|root| {
            root.ended(move |ctx: Ctx, reason: DisconnectReason| {
                noted.lock().push((ctx.client_id(), reason));
                std::future::ready(())
            })
        })
    })
    .await;
    let mut spoilt = Member::connect(&first, "/", json!({})).await;
    spoilt.tell("spoil", Value::Null).await;
    let kept = Member::connect(&first, "/", json!({})).await;
    first.stop().await;
    assert_eq!(*ended.lock(), [(spoilt.sid.clone(), DisconnectReason::ServerShuttingDown)]);
    let second = start(folder.path(), |server| server).await;
    let (old, other) = (spoilt.sid.clone(), kept.sid.clone());
    assert_ne!(spoilt.back(&second).await.sid, old);
    assert_eq!(kept.back(&second).await.sid, other);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_if_the_next_process_does_not_declare_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path(), |server| server).await;
    let mut member = Member::connect(&first, "/", json!({})).await;
    member.tell("add", json!("tea")).await;
    first.stop().await;
    let config = keeping_in(folder.path());
    let second = TestServer::with(|_| (), |_| Server::bare(config).root(|_| events())).await;
    let old = member.sid.clone();
    assert_ne!(member.back(&second).await.sid, old);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_cannot_keep_their_sockets_in_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path(), |server| server).await;
    // It is open when it answers.
    Member::connect(&first, "/", json!({})).await;
    let error = server(keeping_in(folder.path())).open().err().unwrap();
    assert_eq!(error.code().as_str(), "unavailable");
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_folder_keeps_no_sockets() {
    let first = start(Path::new(""), |server| server).await;
    let member = Member::connect(&first, "/", json!({})).await;
    first.stop().await;
    let second = start(Path::new(""), |server| server).await;
    let old = member.sid.clone();
    assert_ne!(member.back(&second).await.sid, old);
    second.stop().await;
}

/// The binary with this socket as its listener, as systemd starts it.
fn with_listener(listener: &TcpListener, address: &str, data: &TempDir, sockets: u8) -> Command {
    let script = format!("export LISTEN_PID=$$ LISTEN_FDS={sockets}; exec \"$0\" \"$@\" 3<&0 4<&0 </dev/null");
    let mut command = Binary::of("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_sockeye"), "serve", "--listen", address, "--data"]);
    command.arg(data.path()).stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())));
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_listener_of_its_supervisor_it_waits_for_the_process_before() {
    let (listener, data) = (TcpListener::bind("127.0.0.1:0").unwrap(), tempfile::tempdir().unwrap());
    let address = listener.local_addr().unwrap().to_string();
    let first = Binary::start(with_listener(&listener, &address, &data, 1)).await;
    let mut ada = Client::named(first.address, "Ada").await;
    let second = tokio::spawn(Binary::start(with_listener(&listener, &address, &data, 1)));
    let pid = first.child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    ada.closed().await;
    // The connection waits until the second process serves.
    let waiting = tokio::spawn(Client::named(first.address, "Bob"));
    let (code, log) = first.ended().await;
    assert_eq!(code, 0, "{log}");
    let mut bob = soon(waiting).await.unwrap();
    bob.done("list-rooms", json!({})).await;
    let second = soon(second).await.unwrap();
    assert!(second.log().contains("sockets of the process before were taken up"), "{}", second.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_with_another_address_or_a_second_one_is_a_mistake() {
    let (listener, data) = (TcpListener::bind("127.0.0.1:0").unwrap(), tempfile::tempdir().unwrap());
    let address = listener.local_addr().unwrap().to_string();
    for (listen, sockets, sentence) in [
        (
            "127.0.0.1:1",
            1,
            format!("server.listen: it is 127.0.0.1:1, but the socket that the server was given listens on {address}"),
        ),
        (address.as_str(), 2, "LISTEN_FDS: one socket is needed, and there are 2".to_owned()),
    ] {
        let output = soon(with_listener(&listener, listen, &data, sockets).output()).await.unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), errors.contains(&sentence)), (Some(2), true), "{errors}");
    }
}
