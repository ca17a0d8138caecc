//! A chat in which people say their names: who joins and leaves, how many are there, who is typing.
//!
//! Run it with `cargo run --example chat`, then from a browser or Node:
//!
//! ```js
//! const chat = io("http://localhost:8000");
//! chat.onAny(console.log);
//! chat.emit("add user", "Ada"); // login { numUsers: 1 }; to the others: user joined { username, numUsers }
//! chat.emit("typing");
//! chat.emit("new message", "hello");
//! ```

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use axum::Router;
use serde_json::json;
use sockeye::{Config, Ctx, Server};

/// How many people have said their names.
type UserCount = Arc<AtomicUsize>;

/// What a socket's person is called.
#[derive(Clone)]
struct Username(String);

fn server() -> Server {
    Server::bare(Config::bare())
        .state(UserCount::default())
        .on("add user", async |ctx: Ctx, name: String| {
            if username(&ctx).is_some() {
                return Ok(());
            }
            ctx.data().insert(Username(name.clone()));
            let count = ctx.state::<UserCount>().fetch_add(1, Relaxed) + 1;
            ctx.emit("login", json!({ "numUsers": count }))?;
            ctx.broadcast().emit("user joined", json!({ "username": name, "numUsers": count }))
        })
        .on("new message", async |ctx: Ctx, message: String| {
            ctx.broadcast().emit("new message", json!({ "username": username(&ctx), "message": message }))
        })
        .on("typing", async |ctx: Ctx, ()| ctx.broadcast().emit("typing", json!({ "username": username(&ctx) })))
        .on("stop typing", async |ctx: Ctx, ()| {
            ctx.broadcast().emit("stop typing", json!({ "username": username(&ctx) }))
        })
        .disconnect(async |ctx, _| {
            let Some(name) = username(&ctx) else { return Ok(()) };
            let count = ctx.state::<UserCount>().fetch_sub(1, Relaxed) - 1;
            ctx.broadcast().emit("user left", json!({ "username": name, "numUsers": count }))
        })
}

fn username(ctx: &Ctx) -> Option<String> {
    ctx.data().get().map(|Username(name)| name)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server().serve(listener, Router::new(), std::future::pending()).await?;
    Ok(())
}
