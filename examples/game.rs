//! A guessing game in as many namespaces as there are rounds: `/game-1`, `/game-2`, ...
//!
//! Run it with `cargo run --example game`, then from a browser or Node:
//!
//! ```js
//! const game = io("http://localhost:8000/game-1", { auth: { name: "Ada" } });
//! game.on("players", console.log); // [{ name: "Ada", score: 0 }]
//! game.on("ready?", (callback) => callback(true));
//! await game.emitWithAck("start", 42); // asks the others whether they are ready, then: "started"
//! await game.emitWithAck("guess", 50); // "lower"
//! ```

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::Router;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use sockeye::{Config, Ctx, Events, Result, Server};

/// The number to be guessed, by the namespace's path.
type Secrets = Arc<Mutex<HashMap<String, i64>>>;

/// Stored with each socket.
#[derive(Clone, Default, Serialize)]
struct Player {
    name: String,
    score: u32,
}

fn server() -> Server {
    let game = Events::new()
        .connection(async |ctx| {
            ctx.data().insert(Player { name: ctx.user().name.to_string(), score: 0 });
            show_players(&ctx).await
        })
        .disconnect(async |ctx, _| {
            if ctx.nsp().fetch_sockets().await.is_empty() {
                ctx.state::<Secrets>().lock().remove(ctx.namespace());
            }
            show_players(&ctx).await
        })
        .on("start", start)
        .on("guess", guess);
    Server::bare(Config::bare()).state(Secrets::default()).namespace("/game-{id}", game)
}

async fn start(ctx: Ctx, secret: i64) -> Result<&'static str> {
    let answers = ctx.broadcast().timeout(Duration::from_secs(10)).emit_with_ack("ready?", ()).await?;
    if !answers.iter().all(|(_, is_ready)| matches!(is_ready, Ok(true))) {
        return Ok("not everyone is ready");
    }
    ctx.state::<Secrets>().lock().insert(ctx.namespace().to_owned(), secret);
    ctx.nsp().emit("started", json!({ "by": ctx.user().name, "players": answers.len() + 1 }))?;
    Ok("started")
}

async fn guess(ctx: Ctx, number: i64) -> Result<&'static str> {
    let secrets: Secrets = ctx.state();
    let Some(secret) = secrets.lock().get(ctx.namespace()).copied() else { return Ok("no round") };
    if number != secret {
        return Ok(if number < secret { "higher" } else { "lower" });
    }
    // Of two who guess it at once, one has won.
    let Some(_) = secrets.lock().remove(ctx.namespace()) else { return Ok("no round") };
    ctx.data().update(|player: &mut Player| player.score += 1);
    ctx.nsp().emit("won", json!({ "by": ctx.user().name, "secret": secret }))?;
    show_players(&ctx).await?;
    Ok("right")
}

async fn show_players(ctx: &Ctx) -> Result<()> {
    let sockets = ctx.nsp().fetch_sockets().await;
    let mut players: Vec<Player> = sockets.iter().filter_map(|socket| socket.data().get()).collect();
    players.sort_by(|a, b| a.name.cmp(&b.name));
    ctx.nsp().emit("players", players)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server().serve(listener, Router::new(), std::future::pending()).await?;
    Ok(())
}
