//! The memory that clients make the server hold: how it is counted, its bounds, and what happens beyond them.
//!
//! Whatever is held for a client is charged to the [`Account`] while it is held: incomplete input, events and writes
//! that are not answered yet, unsent packets, recovery logs, HTTP bodies. A packet that many sockets get is charged
//! once; each queue and log adds 8 to 16 bytes of its own buffer.
//!
//! | bound | of what | beyond it |
//! |---|---|---|
//! | `limits.received-bytes` | input and unanswered events of one connection | the connection is not read from |
//! | `limits.queued-bytes` | output of one connection, each packet in full | the connection is dropped (`slow_consumers`) |
//! | `limits.queued-bytes-total` | output of all | slow connections above an equal share are dropped (`slow_consumers`) |
//! | `recovery.bytes` | the log of one socket, each packet in full | its oldest events are removed |
//! | `recovery.total-bytes` | recovery logs; long handshakes | logs are given up, those of sockets that are away first |
//! | a quarter of `limits.memory` | HTTP bodies | large ones are refused with 503 |
//! | `limits.memory` | everything | see below |
//!
//! From seven eighths of `limits.memory` on, memory is *scarce*, and the task in `memory_relief` frees it, in this
//! order:
//!
//! 1. The logs of sockets that are away are given up, together with the sockets, then those of connected sockets.
//! 2. Connections that hold more than an equal share are not read from (at once, without the task).
//! 3. If memory stays scarce for half a second, the connections that hold most are dropped.
//!
//! When `limits.memory` is used up, new connections, large HTTP bodies, and events of connections above an equal share
//! are refused.

mod account;
mod charge;
mod kind;
mod received;
#[cfg(test)]
mod tests;

pub(crate) use account::Account;
pub(super) use account::{SCARCE_CHUNK, Share};
pub(crate) use charge::Charge;
pub(super) use charge::PacketCharge;
pub(crate) use kind::Kind;
pub(super) use received::Received;
pub(crate) use received::ReceivedCharge;
