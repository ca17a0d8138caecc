//! Commands that erase what a user has left: messages, name, keys.

use anyhow::Context;

use crate::{
    model::{Body, Message, MessageId, Room, Timestamp, User, UserId},
    store::{
        command::{Command, Needs},
        failure::Failure,
        tables::Tables,
    },
};

/// Replaces messages of a user by tombstones whose author is the system. Messages of others are left as they are.
pub struct EraseMessages {
    /// The user.
    pub user: UserId,
    /// The messages.
    pub messages: Vec<MessageId>,
}

/// An erased message.
#[derive(Debug)]
pub struct ErasedMessage {
    /// Its room.
    pub room: Room,
    /// The tombstone.
    pub message: Message,
    /// How many messages of the room are newer.
    pub newer: u64,
}

impl Command for EraseMessages {
    type Output = Vec<ErasedMessage>;

    fn needs(&self, needs: &mut Needs) {
        needs.messages.extend(&self.messages);
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<Vec<ErasedMessage>, Failure> {
        let now = Timestamp::now();
        let mut erased = Vec::new();
        for id in &self.messages {
            let Some((room, mut message)) = tables.message(*id)? else { continue };
            if message.from.id != self.user {
                continue;
            }
            let mut state = tables.room(&room)?.context("a message has no room")?;
            state.revision += 1;
            message.revision = state.revision;
            message.from = User::system();
            message.room = room.for_reader(&message.from.id);
            message.deleted_at = message.deleted_at.or(Some(now));
            message.idempotency_key = None;
            message.body = Body::empty();
            tables.change_message(state.id, &message, state.changes())?;
            tables.set_room(&room, state);
            erased.push(ErasedMessage { newer: state.offset.saturating_sub(message.offset), room, message });
        }
        Ok(erased)
    }
}

/// Removes a user's name, the time last seen, and idempotency keys.
pub struct ForgetUser {
    /// The user.
    pub user: UserId,
    /// Maximum number of keys to remove.
    pub keys: usize,
}

impl Command for ForgetUser {
    type Output = ();

    fn needs(&self, _: &mut Needs) {}

    fn apply(&self, tables: &mut dyn Tables) -> Result<(), Failure> {
        tables.remove_user(&self.user)?;
        Ok(tables.remove_keys(&self.user, self.keys)?)
    }
}
