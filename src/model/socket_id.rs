//! The id of a socket.

/// A socket's id (`socket.id`), as its client knows it too: a secret between the two.
pub type SocketId = socketioxide_core::Sid;
