//! A server for `new WebSocket(url)`: it greets whoever connects and answers every text.
//!
//! Run it with `cargo run --example echo`, then from a browser or Node:
//!
//! ```js
//! const socket = new WebSocket("ws://localhost:8000/ws");
//! socket.onmessage = ({ data }) => console.log(data); // connection established
//! socket.onopen = () => socket.send("hello"); // Roger that! hello
//! ```
//!
//! Socket.IO clients can talk to it as well: `io("http://localhost:8000").emit("message", "hello")`.

use serde::{Deserialize, Serialize};
use sockeye::{ClientEvent, Config, Ctx, Result, Server, ServerEvent};

/// A text from a client.
#[derive(Deserialize)]
struct Said(String);

impl ClientEvent for Said {
    const NAME: &'static str = "message";
}

/// A text for a client.
#[derive(Serialize)]
struct Text(String);

impl ServerEvent for Text {
    const NAME: &'static str = "message";
}

async fn greet(ctx: Ctx) -> Result<()> {
    ctx.emit(&Text("connection established".to_owned()))
}

async fn answer(ctx: Ctx, Said(text): Said) -> Result<()> {
    ctx.emit(&Text(format!("Roger that! {text}")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().skip_while(|argument| argument != "--listen").nth(1);
    let listener = tokio::net::TcpListener::bind(address.unwrap_or_else(|| "127.0.0.1:8000".to_owned())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut config = Config::default();
    config.store.path = std::env::temp_dir().join(format!("sockeye-echo-{}", std::process::id()));
    // Whoever only listens is greeted too.
    config.ws.open_at_once = true;
    Server::bare(config).connection(greet).on(answer).serve(listener, std::future::pending()).await?;
    Ok(())
}
