//! Plain WebSocket: clients with nothing but `new WebSocket(url)`.
//!
//! Such a client is a `Connection` with one `Socket` in the root namespace, which it joins as every other client does.
//! Instead of packets it sends and gets JSON envelopes, or bare texts until its first envelope. It cannot be recovered:
//! its socket ends with the connection.

pub(super) mod close;
mod envelope;
pub(super) mod inbound;
mod rendering;
pub(super) mod state;
