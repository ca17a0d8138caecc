//! The transport that frames leave through.

use std::task::Waker;

use tokio::net::tcp::OwnedWriteHalf;

/// A transport, by its name in Engine.IO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportName {
    /// HTTP long polling.
    Polling,
    /// A WebSocket.
    WebSocket,
}

/// The state of a transport.
pub(in crate::engine) enum Transport {
    /// Long polling.
    Polling {
        /// The client's poll.
        request: Request,
        /// Whether the client is upgrading to a WebSocket.
        upgrade: Upgrade,
    },
    /// A WebSocket.
    WebSocket(OwnedWriteHalf),
    /// No frame is accepted any more. Those in the queue are sent, over a WebSocket or in the answers to polls; then
    /// the transport is closed.
    Closing(Option<OwnedWriteHalf>),
    /// Nothing is accepted and nothing is sent.
    Closed,
}

/// Whether a polling client is upgrading to a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Upgrade {
    No,
    /// The WebSocket is open and is being probed.
    Begun,
}

/// The poll (a GET) of a polling client.
pub(in crate::engine) enum Request {
    /// There is none.
    None,
    /// It waits for frames. With a waker, it must be woken; without, it is about to look at the queue.
    Waiting(Option<Waker>),
    /// It was woken for an upgrade: it is answered with NOOP if the queue is empty.
    Released,
}
