//! Who is to hear an event.

use crate::model::{Room, SocketId, UserId};

/// Who is to hear an event.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum To<'a> {
    /// All sockets of the namespace.
    Everyone,
    /// The sockets that hear a room; for a direct message, the sockets of both users.
    Room(&'a Room),
    /// All sockets of a user.
    User(&'a UserId),
    /// One socket.
    Socket(SocketId),
    /// All of these, each socket once.
    Any(&'a [To<'a>]),
}
