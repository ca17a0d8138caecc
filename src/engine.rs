//! The engine: Engine.IO and Socket.IO, from a client's handshake to the last byte that is written to it. This file is
//! the facade: the layers above import from here, and the files below import from each other.
//!
//! ```text
//!                 requests ── handle: Engine ───── connect ───── library (decides on CONNECT)
//!                    │             │                  │
//!   in   reader, polling ─── connection ──────── socket ──────── application (the layer above)
//!                                  │                  │
//!   out                        output ─── frames ─────┘
//! ```
//!
//! A `Connection` is a session of Engine.IO: its `sid` is the client's secret, and it ends with the network. A `Socket`
//! is a socket of Socket.IO: a client in a namespace, with a log of its last events; it may outlive its connection.
//! What is sent is a `Frame`, encoded once and shared by all who receive it. The order in which frames enter a
//! connection's output, under its lock, is the order in which they leave. `Shared` is what all connections and sockets
//! have in common.
//!
//! A client of plain WebSocket is a `Connection` too, with one `Socket` that ends with it. `plain` translates its texts
//! to events, and each `Frame` to a text, once for all such clients. `wire` is where the sending side asks which of the
//! two a client speaks.
//!
//! Every request of a client is verified by `verify`, whichever way it came in: `fast_handshake` accepts a WebSocket
//! before hyper, and `requests` answers what came through hyper: long polling, `hyper_handshake` and `upgrade`.
//!
//! # Imports
//!
//! No file imports one that imports it, directly or through others. From the bottom: values (`settings`, `version`,
//! `reason`, `packet`), `frame` and `output`, `shared`, `connection`, `socket`, `connect`, `handle`, and then what has
//! an `Engine`: `opening`, `verify`, `requests`, `memory_relief`, `shutdown`. Where a call goes up, it goes through a
//! trait of the lower file: `ClientSocket` (a connection calls its sockets), `Host` (a connection calls the engine),
//! `Flush` and `Timed` (tasks call connections and sockets), `Application` (a socket calls the layer above).
//!
//! # Locks
//!
//! A thread that holds a lock may take only locks that come later in this list, and no second one of the same kind:
//!
//! 1. a connection's `assembly`, while a packet is processed;
//! 2. those of the layers above, such as a hub's, which delivers to sockets while it holds it;
//! 3. a socket's `state`;
//! 4. a connection's `state`;
//! 5. a connection's `output`;
//! 6. all others, which are held for a few instructions: those of `Connections`, `AwaySockets`, `Timers`, `Flushers`,
//!    `Account`, `Plain` and `Limits`.
//!
//! A connection's `state` and `output` are never held together, and no lock is held over an `.await`. From the third
//! kind on, nothing calls an `Application` while it holds a lock, except for `take_seat`, `leave_seat` and `user`,
//! which take locks of the sixth kind only. A `PendingFlush` may end connections, so it is dropped when only `assembly`
//! is held, or none.

mod ahead;
mod application;
mod assembly;
mod away;
mod background;
mod client_socket;
mod clients;
mod connect;
mod connection;
mod connections;
mod diagnosis;
mod engine_side;
mod fast_handshake;
mod flush;
mod flushers;
mod frame;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod handshake;
mod heartbeat;
mod hyper_handshake;
mod jsonp;
mod library;
mod memory;
mod memory_relief;
#[cfg(test)]
pub(crate) mod models;
mod offset;
mod opening;
mod output;
mod packet;
mod packet_rate;
mod parameters;
mod payload;
mod plain;
mod polling;
mod probe;
mod reader;
mod reason;
mod recovery_log;
mod refusal;
mod replays;
mod request_head;
mod requests;
mod settings;
mod shared;
mod shutdown;
mod slow_consumers;
mod socket;
mod timers;
mod upgrade;
mod verify;
mod version;
mod websocket;
mod wire;

pub(crate) use self::{
    ahead::{Ahead, HEAD_MAX},
    application::{Answer, Application, Arrival, NotAnEvent},
    engine_side::EngineSide,
    fast_handshake::accept_fast,
    flush::PendingFlush,
    frame::Frame,
    handle::Engine,
    handshake::Handshake,
    library::Library,
    memory::{Account, Charge, Kind, ReceivedCharge},
    parameters::{asks_for_jsonp, names_a_session},
    reader::Reader,
    refusal::Refused,
    request_head::RequestHead,
    requests::serve,
    settings::{Bound, PlainSettings, Recovery, Settings},
    socket::Socket,
    verify::{Verified, verify, verify_plain},
    websocket::asks_for_websocket,
};
pub use output::TransportName;
pub use reason::DisconnectReason;
pub use request_head::ClientAddress;
