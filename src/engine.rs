//! The engine: Engine.IO, Socket.IO and plain WebSocket, from a client's handshake to the end of its connection. This
//! file is the facade: the layers above import from here only. The files below import from each other directly.
//!
//! ```text
//!                 requests ── handle: Engine ───── connect ───── library (decides on CONNECT)
//!                    │             │                  │
//!   in   reader, polling ─── connection ──────── socket ──────── application (the layer above)
//!                                  │                  │
//!   out                        output ─── frames ─────┘
//! ```
//!
//! The library is socketioxide: its connect middleware and connect handlers accept or refuse each CONNECT.
//!
//! A `Connection` is a session of Engine.IO. Its `sid` is secret. The session ends when its transport ends; an upgrade
//! replaces the transport and keeps the session. A `Socket` is a socket of Socket.IO: a client in a namespace, with a
//! log of its last events. A `Socket` may outlive its `Connection`. A `Frame` is an encoded packet, shared by all
//! receivers. Frames are pushed to a connection's output while its `output` lock is held, and are sent in the order in
//! which they were pushed. `Shared` holds what all connections and sockets use: settings, limits, the
//! memory account and timers.
//!
//! A client of plain WebSocket is a `Connection` too, with one `Socket` that ends with it. `plain` translates the
//! client's texts to events, and each `Frame` to a text, once for all such clients. `wire` tells the sending side
//! whether a client speaks Socket.IO or plain WebSocket.
//!
//! `verify` verifies every request of a client. `fast_handshake` accepts a WebSocket without hyper. `requests` answers
//! requests through hyper: long polling, and WebSockets with `hyper_handshake` and `upgrade`.
//!
//! # Imports
//!
//! No file imports one that imports it, directly or through others. From the bottom: values (`settings`, `version`,
//! `reason`, `packet`), `frame` and `output`, `shared`, `connection`, `socket`, `connect`, `handle`, and then the files
//! that hold an `Engine`: `connection_builder`, `verify`, `requests`, `memory_relief`, `shutdown`. A call upwards goes
//! through a trait of the lower file: `ClientSocket` (a connection calls its sockets), `Host` (a connection calls the
//! engine), `Flush` and `Timed` (tasks call connections and sockets), `Application` (a socket calls the layer above).
//!
//! # Locks
//!
//! A thread that holds a lock may take only locks that come later in this list, and never a second lock of the same
//! kind:
//!
//! 1. a connection's `assembly`, while a packet is processed;
//! 2. the locks of the layers above, such as a hub's, which is held while the hub delivers to sockets;
//! 3. a socket's `state`;
//! 4. a connection's `state`;
//! 5. a connection's `output`;
//! 6. all others, which are held for a few instructions: those of `Connections`, `RecoverableSockets`, `Timers`,
//!    `Flushers`, `Account`, `PlainState` and `Limits`.
//!
//! A connection's `state` and `output` are never held together, and no lock is held over an `.await`. No code calls an
//! `Application` while it holds a lock of kinds 3 to 6, except for `take_seat`, `leave_seat` and `user`, which take
//! only locks of kind 6. The drop of a `PendingFlush` may end connections. It therefore happens while no lock is held,
//! or only `assembly`.

mod application;
mod assembly;
mod background;
mod client_socket;
mod clients;
mod connect;
mod connection;
mod connection_builder;
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
mod hooks;
mod http_stream;
mod hyper_handshake;
mod jsonp;
mod library;
mod memory;
mod memory_relief;
#[cfg(test)]
pub(crate) mod models;
mod offset;
mod opening_request;
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
mod recoverable_sockets;
mod recovery_log;
mod replays;
mod request_error;
mod request_head;
mod requests;
mod session_cookie;
mod settings;
mod shared;
mod shutdown;
mod slow_consumers;
mod socket;
mod stored_head;
mod stream;
mod timers;
mod upgrade;
mod verify;
mod version;
mod websocket;
mod wire;

pub(crate) use self::{
    application::{AckArguments, Application, IncomingEvent, NotAnEvent},
    engine_side::EngineSide,
    fast_handshake::accept_fast,
    flush::PendingFlush,
    frame::Frame,
    handle::Engine,
    hooks::Hooks,
    http_stream::{HEAD_MAX, HttpStream},
    library::Library,
    memory::{Account, Charge, MemoryKind, ReceivedCharge},
    parameters::{asks_for_jsonp, names_a_session},
    reader::Reader,
    request_error::RefusedRequest,
    request_head::RequestHead,
    requests::serve,
    session_cookie::SessionCookie,
    settings::{Bound, PlainSettings, RecoverySettings, Settings},
    socket::{ClientChange, Socket, SuspendedSocket},
    verify::{VerifiedRequest, verify, verify_plain},
    websocket::asks_for_websocket,
};
pub use handshake::Handshake;
pub use output::TransportName;
pub use reason::DisconnectReason;
pub use request_head::ClientAddress;
