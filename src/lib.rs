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
//! One straight line goes through it, the same for every event:
//!
//! ```text
//! frame -> namespace/ (decode, order) -> handlers/send_message.rs -> chat::post -> store -> hub -> frames
//!               ^---------------------- reply: data or error ---------------------------|
//! ```
//!
//! | to find | look in |
//! |---|---|
//! | an event's name or payload | [`protocol`] |
//! | what an event does | `handlers/`, one file each, then [`chat`] |
//! | SQL | [`store`] |
//! | who hears what | [`hub`], the only emitter |
//! | a setting | [`config`] |
//! | a client's bytes: handshake, frames, order, recovery | [`engine`] |
//! | a socket's events: queue, handlers, replies | [`namespace`] |

pub mod allocator;
pub mod app;
pub mod auth;
pub mod chat;
pub mod config;
pub mod engine;
pub mod error;
#[cfg(test)]
mod generated;
mod handlers;
mod http;
pub mod hub;
mod input;
pub mod limits;
pub mod metrics;
pub mod model;
pub mod namespace;
pub mod open_files;
pub mod presence;
pub mod protocol;
mod pusher;
pub mod server;
pub mod store;
mod supervise;
pub mod telemetry;
mod tellings;

pub use config::Config;
pub use engine::DisconnectReason;
pub use error::{Error, Result};
pub use hub::{Answered, Encoded, Hub, Outgoing, To};
pub use namespace::{Ctx, Entrant, Events, Refusal};
pub use protocol::{Args, Arguments, ClientEvent, Raw, ServerEvent};
pub use server::{Reloader, Server};
