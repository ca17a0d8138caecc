//! A self-hosted event server that unchanged Socket.IO clients connect to: rooms, saved messages and presence.
//!
//! [`Server`] is the entry point: `Server::new(config).serve(listener, router, shutdown)` is what the binary and the
//! tests call. An application adds events of its own with [`Server::on`] and
//! [`Server::namespace`]:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use sockeye::{Config, Ctx, Server};
//!
//! # async fn run() -> anyhow::Result<()> {
//! let server = Server::bare(Config::bare())
//!     .connection(async |ctx: Ctx| ctx.join("lobby"))
//!     .on("greet", async |_: Ctx, name: String| format!("Hello, {name}!"))
//!     .on("draw", async |ctx: Ctx, (x, y): (f64, f64)| ctx.to("lobby").emit("drawn", (x, y)));
//! let io = server.io();
//! let routes = Router::new().route("/news", get(async move || io.emit("news", "hot").map_err(|error| error.to_string())));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//! server.serve(listener, routes, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! | to find | look at |
//! |---|---|
//! | settings | [`Config`], [`config`] |
//! | events of your own | [`ClientEvent`], [`ServerEvent`], [`Events`] |
//! | what a handler is given | [`Ctx`]; [`Io`] for the whole server |
//! | what a handler takes and returns | [`FromArguments`], [`IntoReply`], [`Payload`], [`Arguments`] |
//! | who receives an event | [`Broadcast`], [`Namespace`] |
//! | what happens in rooms and connections | [`Observer`], [`ConnectionError`] |
//! | who may connect | [`Entrant`], [`Refusal`], [`Identity`] |
//! | the errors that clients receive | [`Error`] |
//! | a server and a client for tests of your own | `testing`, with the feature of that name |
//! | your events as TypeScript | `typescript`, with the feature of that name |
//!
//! All public items are exported here or in [`config`]. `tests/public-api.txt` lists them; a test keeps it up to date.
//!
//! Every event takes the same way through the server:
//!
//! ```text
//! frame -> namespace/ (decode, order) -> handlers/send_message.rs -> chat::post -> store -> hub -> frames
//!               ^---------------------- reply: data or error ---------------------------|
//! ```

mod allocator;
mod app;
mod auth;
mod chat;
mod cli;
pub mod config;
mod deadlines;
mod engine;
mod erasure;
mod error;
#[cfg(test)]
mod generated;
mod handlers;
mod http;
mod hub;
mod input;
mod io;
mod limits;
mod metrics;
mod model;
mod namespace;
mod observer;
mod open_files;
mod presence;
mod protocol;
mod pusher;
mod restart;
mod retention;
mod server;
mod store;
mod supervise;
mod sync;
mod telemetry;
mod tellings;
#[cfg(feature = "testing")]
pub mod testing;
mod token_expiry;
#[cfg(feature = "typescript")]
pub mod typescript;

pub use app::Changes;
pub use auth::Identity;
pub use cli::cli;
#[doc(no_inline)]
pub use config::Config;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub use engine::fuzzing;
pub use engine::{DisconnectReason, Handshake, TransportName};
pub use error::{Code, CustomError, Error, Result};
pub use hub::{Broadcast, RemoteSocket, Target};
pub use io::{Io, Namespace};
pub use model::{Direct, Room, RoomName, RoomRef, SocketData, SocketId, Timestamp, User, UserId};
pub use namespace::{Ack, Ctx, Entrant, Events, ListenerId, Refusal, Timeout};
pub use observer::{ConnectionError, Observer};
pub use protocol::{Args, Arguments, ClientEvent, FromArguments, IntoReply, Payload, Raw, ReplyForm, ServerEvent};
pub use server::{OpenServer, Reloader, Server, ServerHandle};

/// Documents with Rust code, which `cargo test --doc` compiles.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/rust.md")]
    struct OwnEvents;
    #[doc = include_str!("../docs/migrating-from-node.md")]
    struct MigratingFromNode;
}
