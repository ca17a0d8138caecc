//! The transport of an output: long polling or a WebSocket.

use std::task::Waker;

use crate::engine::stream::WriteHalf;

/// A transport, by its name in Engine.IO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportName {
    /// HTTP long polling.
    Polling,
    /// A WebSocket.
    WebSocket,
}

/// A transport and its state. `W` is the write half of a WebSocket's stream. It is [`WriteHalf`], except in the tests
/// of `output/models.rs`, which simulate the kernel.
pub(in crate::engine) enum Transport<W = WriteHalf> {
    /// Long polling.
    Polling {
        /// The client's GET.
        poll: PollState,
        /// Whether the client is upgrading to a WebSocket.
        upgrade: UpgradeState,
    },
    /// A WebSocket.
    WebSocket(W),
    /// No more frames are accepted. The queue is still sent, over the WebSocket if there is one, otherwise in answers
    /// to polls. Then the transport is closed.
    Closing(Option<W>),
    /// Nothing is accepted and nothing is sent.
    Closed,
}

/// Whether a polling client is upgrading to a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum UpgradeState {
    None,
    /// A WebSocket is open, and the client probes it.
    Probing,
}

/// The state of a polling client's poll, which is a GET.
pub(in crate::engine) enum PollState {
    /// No poll waits.
    None,
    /// A poll waits for frames. With a waker, its task must be woken. Without one, its task is about to read the queue.
    Waiting(Option<Waker>),
    /// A poll was woken for an upgrade. It is answered with NOOP if the queue is empty.
    Released,
}
