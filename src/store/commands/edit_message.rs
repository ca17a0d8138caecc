//! Commands that edit and delete messages.

use anyhow::Context;

use crate::store::{
    command::{Command, Needs},
    failure::Failure,
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
    /// The requester; `None` for a backend, which may edit all messages.
    pub by: Option<Author>,
    /// The new body.
    pub body: Body,
}

/// Deletes a message. A tombstone keeps its offset.
pub struct DeleteMessage {
    /// The message to delete.
    pub id: MessageId,
    /// The requester; `None` for a backend, which may delete all messages.
    pub by: Option<Author>,
}

impl Command for EditMessage {
    /// The room and the message. In a direct message, the message's `room` names the other user, not the author.
    type Output = (Room, Message);

    fn needs(&self, needs: &mut Needs) {
        needs.messages.push(self.id);
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<Self::Output, Failure> {
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
    /// The room and the tombstone, whose `room` is as in the output of [`EditMessage`]. The room is `None` if the
    /// message was deleted before.
    type Output = (Option<Room>, Message);

    fn needs(&self, needs: &mut Needs) {
        needs.messages.push(self.id);
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<Self::Output, Failure> {
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
    room: Room,
    state: RoomState,
    message: Message,
}

/// Finds a message and checks that `by` is its author. A message in a room that `by` may not read is reported as
/// missing.
fn find(tables: &mut dyn Tables, id: MessageId, by: Option<&Author>) -> Result<Found, Failure> {
    let unknown = || Error::NotFound("there is no such message".to_owned());
    let (room, message) = tables.message(id)?.ok_or_else(unknown)?;
    if let Some(by) = by {
        if !(by.may_read)(&room) {
            return Err(unknown().into());
        }
        if message.from.id != by.user {
            return Err(Error::Forbidden("only its author may change a message".to_owned()).into());
        }
    }
    let state = tables.room(&room)?.context("a message has no room")?;
    Ok(Found { room, state, message })
}

impl Found {
    fn change(mut self, tables: &mut dyn Tables) -> anyhow::Result<(Room, Message)> {
        self.state.revision += 1;
        self.message.revision = self.state.revision;
        tables.change_message(self.state.id, &self.message, self.state.changes())?;
        tables.set_room(&self.room, self.state);
        Ok((self.room, self.message))
    }
}
