//! The receivers of an event.

use crate::model::{Room, SocketId, UserId};

/// The receivers of an event.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum To<'a> {
    /// All sockets of the namespace.
    Everyone,
    /// The sockets in a room; for a direct message, the sockets of both users.
    Room(&'a Room),
    /// All sockets of a user.
    User(&'a UserId),
    /// One socket.
    Socket(SocketId),
    /// All of these receivers together. A socket that several of them include receives the event once.
    Any(&'a [To<'a>]),
}
