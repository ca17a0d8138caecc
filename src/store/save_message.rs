//! Saves messages, and recognises a retry by its idempotency key.

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{IDEMPOTENCY_WINDOW, command::Command, failure::Failure, messages, tables::Tables};
use crate::{
    error::Error,
    model::{Body, Message, Room, Timestamp, User, UserId},
};

/// Maximal expired keys to delete with each post that has a key. It is small, so that no commit has to delete many.
const SWEPT: usize = 4;

/// The command that saves a message.
pub struct NewMessage {
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
pub struct Posted {
    /// The message as the sender sees it: the room of a direct message is named after the other user.
    pub message: Message,
    /// False for a retry: the message was saved and broadcast before, under the same idempotency key.
    pub is_new: bool,
}

impl Command for NewMessage {
    type Output = Posted;

    fn apply(&self, tables: &mut Tables) -> Result<Posted, Failure> {
        let at = Timestamp::now();
        let digest = self.idempotency_key.as_ref().map(|_| self.digest());
        if let (Some(key), Some(digest)) = (&self.idempotency_key, &digest)
            && let Some(message) = self.earlier(tables, key, digest, at)?
        {
            return Ok(Posted { message, is_new: false });
        }
        let mut state = tables.room(&self.room)?;
        for member in &self.members {
            let is_member = match state {
                Some(state) => tables.is_member(member, state.id)?,
                None => false,
            };
            if !is_member && *member == self.from.id {
                tables.check_room_for_one_more(member, self.rooms_per_user)?;
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
        let (number, id) = tables.next()?;
        let message = Message {
            id,
            room: self.room.for_reader(&self.from.id),
            offset: room.offset + 1,
            revision: room.revision() + 1,
            from: self.from.clone(),
            at,
            edited_at: None,
            deleted_at: None,
            idempotency_key: self.idempotency_key.clone(),
            body: self.body.clone(),
        };
        let room = tables.insert(number, room, &message)?;
        if let (Some(key), Some(digest)) = (&self.idempotency_key, &digest) {
            self.keep_key(tables, number, key, digest, at)?;
        }
        tables.remember(&self.room, room);
        Ok(Posted { message, is_new: true })
    }
}

impl NewMessage {
    /// The message that an earlier post with this key saved. The same key with another room or body is a conflict.
    fn earlier(&self, tables: &Tables, key: &str, digest: &[u8], now: Timestamp) -> Result<Option<Message>, Failure> {
        let mut find = tables
            .db
            .prepare_cached("SELECT message, digest FROM idempotency_keys WHERE user_id = ? AND key = ? AND at > ?")?;
        let found = find
            .query_row(params![self.from.id.as_str(), key, oldest(now)], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
            })
            .optional()?;
        let Some((number, earlier)) = found else { return Ok(None) };
        if earlier != digest {
            return Err(Error::Conflict("this idempotencyKey was used for another message".to_owned()).into());
        }
        let (_, message) = messages::by_number(tables.db, number)?;
        Ok(Some(message))
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

    fn keep_key(&self, tables: &Tables, number: i64, key: &str, digest: &[u8], at: Timestamp) -> rusqlite::Result<()> {
        let mut sweep = tables.db.prepare_cached(
            "DELETE FROM idempotency_keys WHERE (user_id, key) IN
             (SELECT user_id, key FROM idempotency_keys WHERE at <= ? ORDER BY at LIMIT ?)",
        )?;
        sweep.execute(params![oldest(at), SWEPT])?;
        let mut insert = tables.db.prepare_cached(
            "INSERT OR REPLACE INTO idempotency_keys (user_id, key, message, digest, at) VALUES (?, ?, ?, ?, ?)",
        )?;
        insert.execute(params![self.from.id.as_str(), key, number, digest, at.as_millis()])?;
        Ok(())
    }
}

fn oldest(now: Timestamp) -> u64 {
    now.as_millis().saturating_sub(IDEMPOTENCY_WINDOW.as_millis() as u64)
}
