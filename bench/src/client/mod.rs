//! A Socket.IO client of our own, as small as a load generator needs: Engine.IO v4 over WebSocket, text only.

mod conn;
pub mod frame;
pub mod offset;
mod packet;
mod swarm;

pub use conn::{Conn, Incoming};
pub use swarm::Swarm;
