//! A minimal client for load generation: Socket.IO (Engine.IO v4 over WebSocket, text only), plain WebSocket with
//! envelopes, and HTTP requests of a backend.

mod conn;
mod envelope;
pub mod frame;
pub mod http;
pub mod offset;
mod packet;
mod swarm;

pub use conn::{Conn, Incoming, Protocol};
pub use swarm::Swarm;
