//! A whiteboard: what one client draws, the others see.
//!
//! Run it with `cargo run --example whiteboard`, then from a browser or Node:
//!
//! ```js
//! const board = io("http://localhost:8000");
//! board.on("drawing", ({ x0, y0, x1, y1, color }) => {});
//! board.emit("drawing", { x0: 0, y0: 0, x1: 0.5, y1: 0.5, color: "black" });
//! ```

use axum::Router;
use sockeye::{Arguments, Config, Ctx, Server};

fn server() -> Server {
    // `Arguments` are passed on unread. A struct with the line's fields would refuse everything else.
    Server::bare(Config::bare()).on("drawing", async |ctx: Ctx, line: Arguments| ctx.broadcast().emit("drawing", line))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server().serve(listener, Router::new(), std::future::pending()).await?;
    Ok(())
}
