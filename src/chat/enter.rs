//! Checks whether a user may enter a room.

use crate::{
    auth::Identity,
    error::{Error, Result},
    model::{Room, RoomRef},
};

/// Resolves a room as the user names it: `dm:bob` is the direct messages of this user and `bob`. `forbidden` if the
/// user may not enter the room.
pub fn enter(who: &Identity, room: RoomRef) -> Result<Room> {
    let room = room.seen_by(&who.user.id);
    if who.access.allows(&who.user.id, &room) {
        return Ok(room);
    }
    Err(Error::Forbidden("this room is not open to you".to_owned()))
}
