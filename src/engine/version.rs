//! The protocol of a client: a version of Engine.IO, or plain WebSocket.

/// The protocol of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Engine.IO 4: Socket.IO clients 3 and 4.
    V4,
    /// Engine.IO 3: Socket.IO clients 1 and 2.
    V3,
    /// Plain WebSocket, without Engine.IO and Socket.IO, and without polling.
    Plain,
}
