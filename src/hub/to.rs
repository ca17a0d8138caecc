//! The receivers of an event.

use super::Hub;
use crate::{
    error::{Error, Result},
    model::{Room, SocketId, UserId},
    protocol::ReplyForm,
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

impl Hub {
    /// The room that the application calls so. With the chat it fails with `bad-payload` if the name is not valid;
    /// without it, a room may have any name, as in Node.
    pub(crate) fn room_named(&self, name: &str) -> Result<Room> {
        Room::of_application(name, self.has_chat()).map_err(Error::BadPayload)
    }

    pub(super) fn has_chat(&self) -> bool {
        self.reply_form == ReplyForm::Enveloped
    }
}
