//! Edits and deletions.

use rusqlite::{OptionalExtension, params};

use super::{
    messages::{self, COLUMNS},
    tables::{RoomState, Tables},
    writer::{Command, Failure},
};
use crate::{
    error::Error,
    model::{Body, Message, MessageId, Room, Timestamp, UserId},
};

/// Whether a user may read a room; asked once the store knows which room it is.
pub(crate) type MayRead = Box<dyn Fn(&Room) -> bool + Send>;

/// A new body for a message.
pub struct EditMessage {
    /// Which message.
    pub id: MessageId,
    /// Who wants to; must be its author.
    pub by: UserId,
    /// Whether they may still read where it was said.
    pub may_read: MayRead,
    /// What it says from now on.
    pub body: Body,
}

/// The end of a message; its place stays.
pub struct DeleteMessage {
    /// Which message.
    pub id: MessageId,
    /// Who wants to; must be its author.
    pub by: UserId,
    /// Whether they may still read where it was said.
    pub may_read: MayRead,
}

impl Command for EditMessage {
    /// The room and the message as its author sees it.
    type Output = (Room, Message);

    fn apply(&self, tables: &mut Tables) -> Result<Self::Output, Failure> {
        let mut found = find(tables, self.id, &self.by, &self.may_read)?;
        if found.message.deleted_at.is_some() {
            return Err(Error::Conflict("this message is deleted".to_owned()).into());
        }
        found.message.edited_at = Some(Timestamp::now());
        found.message.body = self.body.clone();
        Ok(found.change(tables)?)
    }
}

impl Command for DeleteMessage {
    /// The room and the tombstone as its author sees it; `None` for the room where it was deleted before.
    type Output = (Option<Room>, Message);

    fn apply(&self, tables: &mut Tables) -> Result<Self::Output, Failure> {
        let mut found = find(tables, self.id, &self.by, &self.may_read)?;
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
    room: Room,
    state: RoomState,
    message: Message,
}

/// The message, if it is this user's. What they may not read does not exist for them.
fn find(tables: &mut Tables, id: MessageId, by: &UserId, may_read: &MayRead) -> Result<Found, Failure> {
    let unknown = || Error::NotFound("there is no such message".to_owned());
    let sql =
        "SELECT rooms.key, messages.room, offset FROM messages JOIN rooms ON rooms.id = room WHERE messages.id = ?";
    let place = tables
        .db
        .prepare_cached(sql)?
        .query_row([id.as_bytes()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, u64>(2)?)))
        .optional()?;
    let (key, room_id, offset) = place.ok_or_else(unknown)?;
    let room = Room::from_key(&key).ok_or_else(|| messages::invalid(0, key))?;
    if !may_read(&room) {
        return Err(unknown().into());
    }
    let sql = format!("SELECT {COLUMNS} FROM messages WHERE room = ? AND offset = ?");
    let room_ref = room.for_reader(by);
    let message = tables
        .db
        .prepare_cached(&sql)?
        .query_row(params![room_id, offset], |row| messages::from_row(row, &room_ref))?;
    if message.from.id != *by {
        return Err(Error::Forbidden("only its author may change a message".to_owned()).into());
    }
    let state = tables.room(&room)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(Found { room, state, message })
}

impl Found {
    fn change(mut self, tables: &mut Tables) -> rusqlite::Result<(Room, Message)> {
        self.state.changes += 1;
        self.message.revision = self.state.revision();
        let mut update = tables.db.prepare_cached(
            "UPDATE messages SET revision = ?, edited_at = ?, deleted_at = ?, body = ? WHERE room = ? AND offset = ?",
        )?;
        update.execute(params![
            self.message.revision,
            self.message.edited_at.map(Timestamp::as_millis),
            self.message.deleted_at.map(Timestamp::as_millis),
            self.message.body.as_str(),
            self.state.id,
            self.message.offset,
        ])?;
        let mut log =
            tables.db.prepare_cached("INSERT INTO changes (room, revision, nth, offset) VALUES (?, ?, ?, ?)")?;
        log.execute(params![self.state.id, self.message.revision, self.state.changes, self.message.offset])?;
        tables.remember(&self.room, self.state);
        Ok((self.room, self.message))
    }
}
