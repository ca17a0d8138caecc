//! The memory that the server holds for clients: how it is counted, its bounds, and what happens above a bound.
//!
//! All memory that is held for a client is charged to the [`Account`]: incomplete input, unanswered events and writes,
//! unsent packets, recovery logs, HTTP bodies. A packet that many sockets receive is charged once; each queue and log
//! that holds the packet adds 8 to 16 bytes.
//!
//! | bound | limited memory | above the bound |
//! |---|---|---|
//! | `limits.received-bytes` | input and unanswered events of one connection | the server stops reading from it |
//! | `limits.queued-bytes` | output of one connection, each packet in full | that connection is dropped |
//! | `limits.queued-bytes-total` | output of all connections | slow connections above an equal share are dropped |
//! | `recovery.bytes` | the log of one socket, each packet in full | its oldest events are removed |
//! | `recovery.total-bytes` | recovery logs; long handshakes | logs are discarded, those of away sockets first |
//! | a quarter of `limits.memory` | HTTP bodies | requests with large bodies are refused with 503 |
//! | `limits.memory` | everything | see below |
//!
//! An *equal share* of the output is the smaller of `limits.queued-bytes-total` and `limits.memory`, divided by the
//! number of connections. An equal share of the memory is three quarters of `limits.memory`, divided by the number of
//! connections.
//!
//! From seven eighths of `limits.memory` on, memory is *scarce*, and the task in `memory_relief` frees it, in this
//! order:
//!
//! 1. Sockets that are away are ended, which frees their logs. Then logs of connected sockets are discarded.
//! 2. The server stops reading from connections that hold more than an equal share of the memory. When `limits.memory`
//!    is used up, it stops reading from those that hold more than an eighth of an equal share. Each connection's reader
//!    checks this itself, so this step does not wait for the task.
//! 3. If memory stays scarce for half a second, the connections that hold most are dropped.
//!
//! When `limits.memory` is used up, new connections, large HTTP bodies, and events of connections above an equal share
//! of the memory are refused.

mod account;
mod charge;
mod kind;
mod received;
#[cfg(test)]
mod tests;

pub(crate) use account::Account;
pub(super) use account::{ConnectionCount, SCARCE_CHUNK};
pub(crate) use charge::Charge;
pub(super) use charge::PacketCharge;
pub(crate) use kind::MemoryKind;
pub(super) use received::ReceivedBytes;
pub(crate) use received::ReceivedCharge;
