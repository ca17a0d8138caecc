//! The name of a Pusher channel, and the room or user it stands for.

use crate::{
    error::{Error, Result},
    hub::To,
    model::{Room, RoomName, UserId},
};

/// The libraries send to a user through the channel with this prefix and the user's id.
const USER: &str = "#server-to-user-";
/// Prefix of presence channels. Only their users may be counted and listed.
const PRESENCE: &str = "presence-";

/// The target of an event.
pub(super) enum Channel {
    /// The sockets in a room.
    Room(Room),
    /// All sockets of a user.
    User(UserId),
}

impl Channel {
    /// Parses the name of a channel.
    pub(super) fn parse(name: &str) -> Result<Self> {
        match name.strip_prefix(USER) {
            Some(user) => Ok(Self::User(UserId::parse(user).map_err(Error::BadPayload)?)),
            None => Ok(Self::Room(room(name)?)),
        }
    }

    /// The target for the hub.
    pub(super) fn to(&self) -> To<'_> {
        match self {
            Self::Room(room) => To::Room(room),
            Self::User(user) => To::User(user),
        }
    }
}

/// The room of a channel.
pub(super) fn room(name: &str) -> Result<Room> {
    RoomName::parse(name).map(Room::Named).map_err(|why| Error::BadPayload(format!("a channel is a room: {why}")))
}

/// Whether a channel's name, or a prefix of names, is that of a presence channel.
pub(super) fn is_presence(name: &str) -> bool {
    name.starts_with(PRESENCE)
}
