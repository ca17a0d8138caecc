//! Reads the messages of rooms.

use super::enter::enter;
use crate::{
    app::App,
    auth::Identity,
    error::{Error, Result},
    model::{Message, MessageId, RoomRef},
    protocol::{LoadMessages, PAGE_DEFAULT, PAGE_MAX, Page},
    store::{CatchUp, Direction},
};

/// A page of a room's messages.
pub async fn load(app: &App, who: &Identity, load: LoadMessages) -> Result<Page> {
    let room = enter(who, load.room)?;
    let direction = match (load.before, load.after) {
        (None, None) => Direction::Last,
        (Some(offset), None) => Direction::Before(offset),
        (None, Some(offset)) => Direction::After(offset),
        (Some(_), Some(_)) => return Err(Error::BadPayload("either before or after, not both".to_owned())),
    };
    app.store().page(room, who.user.id.clone(), direction, page_limit(load.limit)?).await
}

/// The number of items on a page: 50 by default, at most 200. `bad-payload` for 0.
pub fn page_limit(limit: Option<u64>) -> Result<usize> {
    match limit {
        None => Ok(PAGE_DEFAULT),
        Some(0) => Err(Error::BadPayload("limit must be at least 1".to_owned())),
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(PAGE_MAX).min(PAGE_MAX)),
    }
}

/// The changes in a room after a revision.
pub async fn catch_up(app: &App, who: &Identity, room: RoomRef, since: u64) -> Result<CatchUp> {
    app.store().catch_up(enter(who, room)?, who.user.id.clone(), Some(since)).await
}

/// One message. In a direct message, its `room` names the other user, as seen by the reader `who`. If `who` is `None`,
/// every message may be read, and `room` is as seen by the author. `not-found` also if the reader may not enter the
/// message's room.
pub async fn message(app: &App, who: Option<&Identity>, id: MessageId) -> Result<Message> {
    let unknown = || Error::NotFound("there is no such message".to_owned());
    let (room, message) = app.store().message(id).await?.ok_or_else(unknown)?;
    let Some(who) = who else { return Ok(message) };
    if !who.access.allows(&who.user.id, &room) {
        return Err(unknown());
    }
    Ok(Message { room: room.for_reader(&who.user.id), ..message })
}
