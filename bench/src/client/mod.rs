//! A client of our own, as small as a load generator needs: Socket.IO (Engine.IO v4 over WebSocket, text only), plain
//! WebSocket in envelopes, and a backend's requests.

mod conn;
mod envelope;
pub mod frame;
pub mod http;
pub mod offset;
mod packet;
mod swarm;

pub use conn::{Conn, Incoming, Protocol};
pub use swarm::Swarm;
