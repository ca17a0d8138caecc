//! Commands that edit and delete messages.

use rusqlite::params;

use super::{
    chain,
    command::Command,
    failure::Failure,
    messages,
    tables::{RoomState, Tables},
};
use crate::{
    error::Error,
    model::{Body, Message, MessageId, Room, Timestamp, UserId},
};

/// The user who requests a change; must be the author of the message.
pub struct Author {
    /// Id of the user.
    pub user: UserId,
    /// Whether the user may still read a room. Called in the transaction, when the room of the message is known.
    pub may_read: Box<dyn Fn(&Room) -> bool + Send>,
}

/// Replaces the body of a message.
pub struct EditMessage {
    /// The message to edit.
    pub id: MessageId,
    /// The requester; `None` for one with the right to edit messages of others.
    pub by: Option<Author>,
    /// The new body.
    pub body: Body,
}

/// Deletes a message. A tombstone keeps its offset.
pub struct DeleteMessage {
    /// The message to delete.
    pub id: MessageId,
    /// The requester; `None` for one with the right to delete messages of others.
    pub by: Option<Author>,
}

impl Command for EditMessage {
    /// The room and the message as its author sees it.
    type Output = (Room, Message);

    fn apply(&self, tables: &mut Tables) -> Result<Self::Output, Failure> {
        let mut found = find(tables, self.id, self.by.as_ref())?;
        if found.message.deleted_at.is_some() {
            return Err(Error::Conflict("this message is deleted".to_owned()).into());
        }
        found.message.edited_at = Some(Timestamp::now());
        found.message.body = self.body.clone();
        Ok(found.change(tables)?)
    }
}

impl Command for DeleteMessage {
    /// The room and the tombstone, as its author sees it. The room is `None` if the message was deleted before.
    type Output = (Option<Room>, Message);

    fn apply(&self, tables: &mut Tables) -> Result<Self::Output, Failure> {
        let mut found = find(tables, self.id, self.by.as_ref())?;
        if found.message.deleted_at.is_some() {
            return Ok((None, found.message));
        }
        found.message.deleted_at = Some(Timestamp::now());
        found.message.body = Body::empty();
        let (room, message) = found.change(tables)?;
        Ok((Some(room), message))
    }
}

struct Found {
    number: i64,
    room: Room,
    state: RoomState,
    message: Message,
}

/// Finds a message and checks that `by` is its author. A message in a room that `by` may not read is reported as
/// missing.
fn find(tables: &mut Tables, id: MessageId, by: Option<&Author>) -> Result<Found, Failure> {
    let unknown = || Error::NotFound("there is no such message".to_owned());
    let number = chain::number_of(tables.db, id)?.ok_or_else(unknown)?;
    let (room, message) = messages::by_number(tables.db, number)?;
    if let Some(by) = by {
        if !(by.may_read)(&room) {
            return Err(unknown().into());
        }
        if message.from.id != by.user {
            return Err(Error::Forbidden("only its author may change a message".to_owned()).into());
        }
    }
    let state = tables.room(&room)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(Found { number, room, state, message })
}

impl Found {
    fn change(mut self, tables: &mut Tables) -> rusqlite::Result<(Room, Message)> {
        self.state.changes += 1;
        self.message.revision = self.state.revision();
        let mut update = tables.db.prepare_cached(
            "UPDATE messages SET revision = ?, edited_at = ?, deleted_at = ?, body = ? WHERE number = ?",
        )?;
        update.execute(params![
            self.message.revision,
            self.message.edited_at.map(Timestamp::as_millis),
            self.message.deleted_at.map(Timestamp::as_millis),
            self.message.body.as_str(),
            self.number,
        ])?;
        let mut log =
            tables.db.prepare_cached("INSERT INTO changes (room, revision, nth, message) VALUES (?, ?, ?, ?)")?;
        log.execute(params![self.state.id, self.message.revision, self.state.changes, self.number])?;
        tables.remember(&self.room, self.state);
        Ok((self.room, self.message))
    }
}
