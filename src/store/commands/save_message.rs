//! Saves messages, and recognises retries by their idempotency keys.

use sha2::{Digest, Sha256};

use crate::store::{
    IDEMPOTENCY_WINDOW,
    command::{Command, Needs},
    failure::Failure,
    tables::{RoomState, Tables, UsedKey, check_rooms_per_user},
};
use crate::{
    error::Error,
    model::{Body, Message, MessageId, Room, Timestamp, User, UserId},
};

/// The command that saves a message.
pub struct SaveMessage {
    /// The room to post to.
    pub room: Room,
    /// The sender.
    pub from: User,
    /// The body of the message.
    pub body: Body,
    /// Identifies a retry of the same post.
    pub idempotency_key: Option<String>,
    /// Users to add as members of the room: the sender and, in a direct message, the other user. Guests are not added.
    pub members: Vec<UserId>,
    /// `limits.rooms-per-user`, which is checked for the sender.
    pub rooms_per_user: usize,
}

/// A saved message.
#[derive(Debug, Clone)]
pub struct SavedMessage {
    /// The message as the sender sees it: the room of a direct message is named after the other user.
    pub message: Message,
    /// False for a retry: the message was saved and broadcast before, under the same idempotency key.
    pub is_new: bool,
}

impl Command for SaveMessage {
    type Output = SavedMessage;

    fn needs(&self, needs: &mut Needs) {
        needs.rooms.push(self.room.clone());
        needs.members.extend(self.members.iter().map(|member| (member.clone(), self.room.clone())));
        if self.rooms_per_user != usize::MAX {
            needs.counts.push(self.from.id.clone());
        }
        needs.keys.extend(self.idempotency_key.iter().map(|key| (self.from.id.clone(), key.clone())));
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<SavedMessage, Failure> {
        let at = Timestamp::now();
        let digest = self.idempotency_key.as_ref().map(|_| self.digest());
        if let (Some(key), Some(digest)) = (&self.idempotency_key, &digest)
            && let Some(message) = self.earlier(tables, key, digest, at)?
        {
            return Ok(SavedMessage { message, is_new: false });
        }
        let mut state = tables.room(&self.room)?;
        for member in &self.members {
            let is_member = match state {
                Some(state) => tables.is_member(member, state.id)?,
                None => false,
            };
            if !is_member && *member == self.from.id {
                check_rooms_per_user(tables, member, self.rooms_per_user)?;
            }
        }
        let room = match state.take() {
            Some(state) => state,
            None => tables.room_or_new(&self.room)?,
        };
        for member in &self.members {
            if !tables.is_member(member, room.id)? {
                tables.add_member(member, room.id)?;
            }
        }
        let message = Message {
            id: MessageId::new(),
            room: self.room.for_reader(&self.from.id),
            offset: room.offset + 1,
            revision: room.revision + 1,
            from: self.from.clone(),
            at,
            edited_at: None,
            deleted_at: None,
            idempotency_key: self.idempotency_key.clone(),
            body: self.body.clone(),
        };
        tables.insert_message(room.id, &message)?;
        if let (Some(key), Some(digest)) = (&self.idempotency_key, digest) {
            let used = UsedKey { room: room.id, offset: message.offset, digest };
            tables.keep_key(&self.from.id, key, &used, at, oldest(at))?;
        }
        tables.set_room(&self.room, RoomState { offset: message.offset, revision: message.revision, ..room });
        Ok(SavedMessage { message, is_new: true })
    }
}

impl SaveMessage {
    /// The message that an earlier post with this key saved; `None` also if that message was removed since. The same key
    /// with another room or body is a conflict.
    fn earlier(
        &self,
        tables: &mut dyn Tables,
        key: &str,
        digest: &[u8],
        now: Timestamp,
    ) -> Result<Option<Message>, Failure> {
        let Some(used) = tables.used_key(&self.from.id, key, oldest(now))? else { return Ok(None) };
        if used.digest != digest {
            return Err(Error::Conflict("this idempotencyKey was used for another message".to_owned()).into());
        }
        Ok(tables.message_at(used.room, used.offset, &self.room.for_reader(&self.from.id))?)
    }

    /// Hash of the room and the body as posted. It does not depend on later edits, so that a retry after an edit is
    /// no conflict.
    fn digest(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(self.room.key().as_bytes());
        hash.update([0]);
        hash.update(self.body.as_str().as_bytes());
        hash.finalize()[..16].to_vec()
    }
}

/// Keys of this time or earlier are expired.
fn oldest(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_sub(IDEMPOTENCY_WINDOW.as_millis() as u64))
}
