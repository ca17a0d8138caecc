//! A session by cookie, which routes and sockets share: who has logged in over HTTP may connect, until they log out.
//!
//! Run it with `cargo run --example cookie_session`, then from a page of the same origin:
//!
//! ```js
//! const headers = { "content-type": "application/json" };
//! await fetch("/login", { method: "POST", headers, body: JSON.stringify({ username: "Ada" }) });
//! const socket = io(); // without the cookie: connect_error "unauthorized"
//! await socket.emitWithAck("whoami"); // "Ada"
//! await socket.emitWithAck("incr"); // 1
//! await fetch("/logout", { method: "POST" }); // disconnects all sockets of the session
//! ```

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    Json, Router,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{COOKIE, SET_COOKIE},
    },
    response::IntoResponse,
    routing::{get, post},
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sockeye::{Config, Ctx, Entrant, Io, Server};
use uuid::Uuid;

/// Stored with each of its sockets.
#[derive(Deserialize, Serialize)]
struct Session {
    username: String,
    #[serde(skip_deserializing)]
    count: AtomicU64,
}

/// The sessions, by the cookie `connect.sid`. A real application would keep them in a database, and let them expire.
type Sessions = Arc<Mutex<HashMap<String, Arc<Session>>>>;

fn sockets(sessions: &Sessions) -> Server {
    Server::bare(Config::bare())
        .state(sessions.clone())
        .middleware(async |entrant: Entrant| {
            let id = entrant.handshake.cookie("connect.sid").ok_or("unauthorized")?;
            let session = entrant.state::<Sessions>().lock().get(&id).cloned().ok_or("unauthorized")?;
            entrant.join(&id)?;
            entrant.data.insert(session);
            Ok(())
        })
        .on("whoami", async |ctx: Ctx, ()| ctx.data().with(|session: &Arc<Session>| session.username.clone()))
        .on("incr", async |ctx: Ctx, ()| {
            ctx.data().with(|session: &Arc<Session>| session.count.fetch_add(1, Relaxed) + 1)
        })
}

type Shared = State<(Sessions, Io)>;

async fn log_in(State((sessions, _)): Shared, Json(session): Json<Session>) -> impl IntoResponse {
    let id = Uuid::new_v4().to_string();
    let cookie = format!("connect.sid={id}; Path=/; HttpOnly; SameSite=Lax");
    sessions.lock().insert(id, Arc::new(session));
    (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)])
}

async fn whoami(State((sessions, _)): Shared, headers: HeaderMap) -> Result<Json<Arc<Session>>, StatusCode> {
    let session = session_id(&headers).and_then(|id| sessions.lock().get(id).cloned());
    session.map(Json).ok_or(StatusCode::UNAUTHORIZED)
}

async fn log_out(State((sessions, io)): Shared, headers: HeaderMap) -> StatusCode {
    if let Some(id) = session_id(&headers) {
        sessions.lock().remove(id);
        io.in_room(id).disconnect_sockets(false);
    }
    StatusCode::NO_CONTENT
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(COOKIE)?.to_str().ok()?.split("; ").find_map(|cookie| cookie.strip_prefix("connect.sid="))
}

fn routes(sessions: Sessions, io: Io) -> Router {
    Router::new()
        .route("/login", post(log_in))
        .route("/whoami", get(whoami))
        .route("/logout", post(log_out))
        .with_state((sessions, io))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let sessions = Sessions::default();
    let server = sockets(&sessions);
    let routes = routes(sessions, server.io());
    server.serve(listener, routes, std::future::pending()).await?;
    Ok(())
}
