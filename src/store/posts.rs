//! Saving a message, and recognising a retry by its idempotency key.

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{
    IDEMPOTENCY_WINDOW, messages,
    tables::Tables,
    writer::{Command, Failure},
};
use crate::{
    error::Error,
    model::{Body, Message, Room, Timestamp, User, UserId},
};

/// Old keys removed with each keyed post, so that none is ever removed at length.
const SWEPT: usize = 4;

/// A message to be saved.
pub struct NewMessage {
    /// Where.
    pub room: Room,
    /// By whom.
    pub from: User,
    /// What.
    pub body: Body,
    /// Recognises a retry.
    pub idempotency_key: Option<String>,
    /// Who becomes a member by it: the sender, and in a direct message the other one, unless they are guests.
    pub members: Vec<UserId>,
    /// The sender's `limits.rooms-per-user`.
    pub rooms_per_user: usize,
}

/// A message that is saved.
#[derive(Debug, Clone)]
pub struct Posted {
    /// As its sender sees it.
    pub message: Message,
    /// False when it was saved before, under the same idempotency key: nobody is to be told again.
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
    /// The message an earlier try saved. The same key for something else is a conflict.
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

    /// Of where it goes and what it says, as it was posted: an edit since then makes a retry no conflict.
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
