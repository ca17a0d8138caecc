//! The permission to enter a room.

use crate::{
    auth::Identity,
    error::{Error, Result},
    model::{Room, RoomRef},
};

/// The room. `forbidden` where the user may not enter it.
pub fn enter(who: &Identity, room: RoomRef) -> Result<Room> {
    let room = room.seen_by(&who.user.id);
    if who.access.allows(&who.user.id, &room) {
        return Ok(room);
    }
    Err(Error::Forbidden("this room is not open to you".to_owned()))
}
