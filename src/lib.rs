//! A self-hosted event server that unchanged Socket.IO clients connect to: rooms, saved messages and presence.
//!
//! [`Server`] is the whole of it: `Server::new(config).serve(listener, shutdown)` is what the binary does, and
//! what the tests do. A Rust developer adds typed events of their own with [`Server::on`] and
//! [`Server::namespace`]:
//!
//! ```no_run
//! use sockeye::{ClientEvent, Config, Ctx, Result, Server};
//!
//! #[derive(serde::Deserialize)]
//! struct Greet { name: String }
//!
//! impl ClientEvent for Greet {
//!     const NAME: &'static str = "greet";
//! }
//!
//! async fn greet(_: Ctx, payload: Greet) -> Result<String> {
//!     Ok(format!("Hello, {}!", payload.name))
//! }
//!
//! # async fn run() -> anyhow::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//! Server::new(Config::default()).on(greet).serve(listener, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! | to find | look at |
//! |---|---|
//! | settings | [`Config`], [`config`] |
//! | events of your own | [`ClientEvent`], [`ServerEvent`], [`Events`] |
//! | what a handler is given | [`Ctx`]; [`App`] for the whole server |
//! | who hears an event | [`Hub`], [`To`], [`Outgoing`] |
//! | who may connect | [`Entrant`], [`Refusal`], [`Identity`] |
//! | what a client is told when something fails | [`Error`] |
//!
//! Everything public is named here or in [`config`]; `tests/public-api.txt` lists it, and a test keeps it up to date.
//!
//! Inside, one straight line goes through the server, the same for every event:
//!
//! ```text
//! frame -> namespace/ (decode, order) -> handlers/send_message.rs -> chat::post -> store -> hub -> frames
//!               ^---------------------- reply: data or error ---------------------------|
//! ```

mod allocator;
mod app;
mod auth;
mod chat;
#[doc(hidden)]
pub mod cli;
pub mod config;
mod deadlines;
mod engine;
mod error;
#[cfg(test)]
mod generated;
mod handlers;
mod http;
mod hub;
mod input;
mod limits;
mod metrics;
mod model;
mod namespace;
mod open_files;
mod presence;
mod protocol;
mod pusher;
mod server;
mod store;
mod supervise;
mod sync;
mod telemetry;
mod tellings;
mod token_expiry;

pub use app::{App, Changes};
pub use auth::Identity;
#[doc(no_inline)]
pub use config::Config;
pub use engine::DisconnectReason;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub use engine::fuzzing;
pub use error::{Code, Error, Result};
pub use hub::{Answered, Encoded, Hub, Outgoing, To};
pub use model::{Direct, Room, RoomName, RoomRef, SocketId, Timestamp, User, UserId};
pub use namespace::{Ctx, Entrant, Events, Refusal};
pub use protocol::{Args, Arguments, ClientEvent, IntoReply, Raw, ServerEvent};
pub use server::{OpenServer, Reloader, Server};

/// The Rust in the documents, which `cargo test --doc` compiles.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/rust.md")]
    struct OwnEvents;
}
