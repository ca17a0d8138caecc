//! For the tests of an application (feature `testing`): a server on a free port, and a Socket.IO client.
//!
//! The server is the same as in production, and the client speaks Socket.IO over a WebSocket. Nothing sleeps: what must
//! happen is waited for with one generous timeout ([`PATIENCE`]), and [`TestClient::expect_none`] proves that something
//! has not happened.
//!
//! ```toml
//! [dev-dependencies]
//! sockeye = { version = "0.1", features = ["testing"] }
//! ```
//!
//! A test, the body of a `#[tokio::test]`:
//!
//! ```
//! use sockeye::{Config, Ctx, Server, testing::TestServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let game = Server::bare(Config::bare())
//!     .on("play", async |ctx: Ctx, square: (u8, u8)| ctx.broadcast().emit("played", square))
//!     .on("double", async |_: Ctx, number: u32| number * 2);
//! let server = TestServer::start(game).await;
//! let (ada, bob) = (server.connect("/").await.unwrap(), server.connect("/").await.unwrap());
//! assert_eq!(ada.emit_with_ack::<u32>("double", 21).await, 42);
//! ada.emit("play", (1, 2));
//! assert_eq!(bob.next::<(u8, u8)>("played").await, (1, 2));
//! ada.expect_none("played").await;
//! server.stop().await;
//! # }
//! ```

mod connect;
mod connect_error;
mod connect_options;
mod decode;
mod session;
mod store_folder;
mod test_client;
mod test_server;

use std::time::Duration;

pub use connect::Connect;
pub use connect_error::ConnectError;
pub use test_client::{TestAck, TestClient};
pub use test_server::TestServer;

/// How long everything that must happen may take, before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that must happen.
async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("{what}: it did not happen within {} s", PATIENCE.as_secs()))
}
