//! Plain WebSocket: clients that use `new WebSocket(url)` without a Socket.IO library.
//!
//! Such a client is a `Connection` with one `Socket` in the root namespace, which it joins as every other client does.
//! Instead of packets it sends and receives bare texts. After the client has sent its first JSON envelope, both sides
//! send only envelopes. It cannot be recovered: its socket ends with the connection.

pub(super) mod close;
mod envelope;
pub(super) mod inbound;
mod rendering;
pub(super) mod state;
