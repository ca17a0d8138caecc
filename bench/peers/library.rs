//! The server `library` of the benchmark: the events of `server.mjs` with this crate. It knows a room, an unsaved message to
//! it and echoes. See `bench/README.md`.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sockeye::{Arguments, Config, Ctx, Result, Server};

#[derive(Deserialize)]
struct InRoom {
    room: String,
}

#[derive(Serialize)]
struct Done {
    success: bool,
}

#[derive(Deserialize, Serialize)]
struct Numbered {
    n: u64,
}

#[derive(Deserialize, Serialize)]
struct File {
    n: u64,
    data: Bytes,
}

async fn join(ctx: Ctx, room: String) -> Result<Done> {
    ctx.join(&room)?;
    Ok(Done { success: true })
}

async fn send_message(ctx: Ctx, payload: Box<RawValue>) -> Result<Done> {
    let InRoom { room } = serde_json::from_str(payload.get()).unwrap_or_else(|_| InRoom { room: String::new() });
    ctx.io().to(room).emit("message-saved", payload)?;
    Ok(Done { success: true })
}

async fn echo_args(_: Ctx, arguments: (u64, String, Numbered)) -> Result<(u64, String, Numbered)> {
    Ok(arguments)
}

async fn echo_binary(_: Ctx, file: File) -> Result<File> {
    Ok(file)
}

/// The catch-all. All other events would be slower with it, so it is added only with `--catch-all`.
async fn echo_any(ctx: Ctx, event: Arc<str>, arguments: Arguments) {
    if &*event == "echo-any" {
        ctx.ack().send(arguments);
    }
}

fn has_flag(flag: &str) -> bool {
    std::env::args().any(|argument| argument == flag)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().skip_while(|argument| argument != "--listen").nth(1);
    let listener = tokio::net::TcpListener::bind(address.unwrap_or_else(|| "127.0.0.1:8000".to_owned())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut server = Server::bare(Config::bare())
        .on("join", join)
        .on("send-message", send_message)
        .on("echo", async |_, payload: Box<RawValue>| payload)
        .on("echo-args", echo_args)
        .on("echo-binary", echo_binary);
    if has_flag("--catch-all") {
        server = server.root(|root| root.on_any(echo_any));
    }
    if has_flag("--mounted") {
        // Dropping the handle would end the server.
        let (routes, _handle) = server.open()?.into_router();
        axum::serve(listener, routes.into_make_service_with_connect_info::<SocketAddr>()).await?;
        return Ok(());
    }
    Ok(server.serve(listener, Router::new(), std::future::pending()).await?)
}
