//! A server for `new WebSocket(url)`: it greets every client and answers every text.
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

use axum::Router;
use sockeye::{Config, Ctx, Server};

fn server() -> Server {
    let mut config = Config::bare();
    config.ws.paths = Config::default().ws.paths;
    // Clients that only listen are greeted too.
    config.ws.open_at_once = true;
    Server::bare(config)
        .connection(async |ctx| ctx.emit("message", "connection established"))
        .on("message", async |ctx: Ctx, text: String| ctx.emit("message", format!("Roger that! {text}")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server().serve(listener, Router::new(), std::future::pending()).await?;
    Ok(())
}
