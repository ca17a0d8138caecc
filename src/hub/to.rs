//! The receivers of an event.

use crate::{
    error::{Error, Result},
    model::{Room, RoomName, SocketId, UserId},
};

/// The receivers of an event.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum To<'a> {
    /// All sockets of the namespace.
    Everyone,
    /// The sockets in a room. For a direct message: all sockets of both users.
    Room(&'a Room),
    /// All sockets of a user.
    User(&'a UserId),
    /// One socket.
    Socket(SocketId),
    /// All of these receivers together. A socket that several of them include receives the event once.
    Any(&'a [To<'a>]),
}

/// The room with this name. Fails with `bad-payload` if the name is not valid.
pub(crate) fn named(room: &str) -> Result<Room> {
    RoomName::parse(room).map(Room::Named).map_err(Error::BadPayload)
}
