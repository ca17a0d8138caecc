//! Private messages between users whose ids the server makes: a session outlives its connections, and a user may have
//! several tabs.
//!
//! Run it with `cargo run --example private_messages`, then from a browser or Node:
//!
//! ```js
//! const socket = io("http://localhost:8000", { auth: { username: "Ada" } }); // later { sessionID } instead
//! socket.on("session", ({ sessionID, userID }) => {});
//! socket.on("users", (users) => {}); // [{ userID, username, connected, messages }]
//! socket.on("private message", ({ content, from, to }) => {});
//! socket.emit("private message", { content: "hello", to: userID });
//! ```

use std::{collections::HashSet, sync::Arc};

use axum::Router;
use indexmap::IndexMap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sockeye::{Config, Ctx, Entrant, Refusal, RemoteSocket, Result, Server, User, UserId};
use uuid::Uuid;

/// A message as its sender writes it, and as it is kept and received.
#[derive(Clone, Deserialize, Serialize)]
struct Message {
    content: String,
    from: Option<UserId>,
    to: UserId,
}

/// All messages. A real application would keep them and the sessions in a database.
type Messages = Arc<Mutex<Vec<Message>>>;

/// The users, by the ids of their sessions. A session's id is its user's secret, and is stored with the user's sockets.
type Sessions = Arc<Mutex<IndexMap<Uuid, User>>>;

fn server() -> Server {
    Server::bare(Config::bare())
        .state(Messages::default())
        .state(Sessions::default())
        .middleware(find_session)
        .connection(enter)
        .on("private message", async |ctx: Ctx, mut message: Message| {
            let me = message.from.insert(ctx.user().id).clone();
            ctx.state::<Messages>().lock().push(message.clone());
            ctx.to(&message.to).to(me).emit("private message", message)
        })
        .disconnect(async |ctx, _| {
            let [] = ctx.io().to(ctx.user().id).fetch_sockets().await[..] else { return Ok(()) };
            ctx.broadcast().emit("user disconnected", ctx.user().id)
        })
}

/// Finds the session of a client that has been here, or begins one.
async fn find_session(entrant: Entrant) -> Result<(), Refusal> {
    let [id, name] = ["sessionID", "username"].map(|key| entrant.auth[key].as_str().unwrap_or_default());
    let sessions: Sessions = entrant.state();
    let known = id.parse().ok().and_then(|id| Some((id, sessions.lock().get(&id)?.clone())));
    let (id, user) = match known {
        Some(session) => session,
        None => (Uuid::new_v4(), User::new(UserId::random(), name).map_err(|_| "invalid username")?),
    };
    sessions.lock().insert(id, user.clone());
    entrant.data.insert(id);
    entrant.set_user(user);
    Ok(())
}

async fn enter(ctx: Ctx) -> Result<()> {
    let (me, messages) = (ctx.user(), ctx.state::<Messages>().lock().clone());
    ctx.emit("session", json!({ "sessionID": ctx.data().get::<Uuid>(), "userID": me.id }))?;
    let online: HashSet<_> = ctx.io().fetch_sockets().await.iter().map(RemoteSocket::user_id).collect();
    let shown = |user: &User| {
        let (a, b) = (Some(&me.id), Some(&user.id));
        let is_between = |message: &&Message| [[a, b], [b, a]].contains(&[message.from.as_ref(), Some(&message.to)]);
        let messages: Vec<_> = messages.iter().filter(is_between).collect();
        json!({ "userID": user.id, "username": user.name, "connected": online.contains(&user.id), "messages": messages })
    };
    ctx.emit("users", ctx.state::<Sessions>().lock().values().map(shown).collect::<Vec<_>>())?;
    let user = json!({ "userID": me.id, "username": me.name, "connected": true, "messages": [] });
    ctx.broadcast().emit("user connected", user)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server().serve(listener, Router::new(), std::future::pending()).await?;
    Ok(())
}
