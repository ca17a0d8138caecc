//! The name of a Pusher channel, and the room or user it stands for.

use crate::{
    error::{Error, Result},
    hub::To,
    model::{Room, RoomName, UserId},
};

/// The channel through which the libraries send to a user: this and the user's id.
const USER: &str = "#server-to-user-";
/// Channels whose users may be counted and listed.
const PRESENCE: &str = "presence-";

/// Where an event goes.
pub(super) enum Channel {
    /// To the sockets that hear the room of this name.
    Room(Room),
    /// To all sockets of a user.
    User(UserId),
}

impl Channel {
    /// From its name.
    pub(super) fn parse(name: &str) -> Result<Self> {
        match name.strip_prefix(USER) {
            Some(user) => Ok(Self::User(UserId::parse(user).map_err(Error::BadPayload)?)),
            None => Ok(Self::Room(room(name)?)),
        }
    }

    /// As the hub takes it.
    pub(super) fn to(&self) -> To<'_> {
        match self {
            Self::Room(room) => To::Room(room),
            Self::User(user) => To::User(user),
        }
    }
}

/// The room that a channel is.
pub(super) fn room(name: &str) -> Result<Room> {
    RoomName::parse(name).map(Room::Named).map_err(|why| Error::BadPayload(format!("a channel is a room: {why}")))
}

/// Whether the channels of this name, or with this prefix, say who is in them.
pub(super) fn is_presence(name: &str) -> bool {
    name.starts_with(PRESENCE)
}
