//! Statements that remove messages, and those that find what to remove.

use anyhow::Result;
use rusqlite::{Connection, Row, params};

use super::messages::invalid;
use crate::{
    model::{MessageId, Room, Timestamp, UserId},
    store::{
        reads::{FoundMessages, RoomContents, SCANNED, ScanPlace},
        tables::{CHANGES_PER_REMOVAL, OldMessage},
    },
};

pub(super) const OLDEST: &str = "SELECT offset, revision, at, octet_length(body) FROM messages
    WHERE room = ?1 AND offset > (SELECT removed_offset FROM rooms WHERE id = ?1) ORDER BY offset LIMIT ?2";

pub(super) const REMOVE_KEYS: &str = "DELETE FROM idempotency_keys
    WHERE room = ?1 AND offset <= ?2 AND (user_id, key) IN
    (SELECT user_id, idempotency_key FROM messages WHERE room = ?1 AND offset <= ?2 AND idempotency_key IS NOT NULL)";

pub(super) const REMOVE: &str = "DELETE FROM messages WHERE room = ? AND offset <= ?";

pub(super) const REMOVE_CHANGES: &str = "DELETE FROM changes WHERE room = ?1 AND revision IN
    (SELECT revision FROM changes WHERE room = ?1 AND revision <= ?2 ORDER BY revision LIMIT ?3)";

const RAISE: &str = "UPDATE rooms SET removed_offset = max(removed_offset, ?2),
    removed_revision = max(removed_revision, ?3) WHERE id = ?1";

pub(super) const CONTENTS: &str = "SELECT key, offset - removed_offset, (SELECT at FROM messages
        WHERE messages.room = rooms.id AND messages.offset > rooms.removed_offset ORDER BY messages.offset LIMIT 1)
    FROM rooms WHERE key > ? ORDER BY key LIMIT ?";

/// The oldest messages of a room.
pub(super) fn oldest(db: &Connection, room: i64, limit: usize) -> Result<Vec<OldMessage>> {
    let mut select = db.prepare_cached(OLDEST)?;
    let message = |row: &Row<'_>| {
        let at = Timestamp::from_millis(row.get(2)?);
        Ok(OldMessage { offset: row.get(0)?, revision: row.get(1)?, at, bytes: row.get(3)? })
    };
    Ok(select.query_map(params![room, limit], message)?.collect::<Result<_, _>>()?)
}

/// See `Tables::remove_up_to`.
pub(super) fn remove_up_to(db: &Connection, room: i64, offset: u64, revision: u64) -> Result<()> {
    db.prepare_cached(REMOVE_KEYS)?.execute(params![room, offset])?;
    db.prepare_cached(REMOVE)?.execute(params![room, offset])?;
    db.prepare_cached(REMOVE_CHANGES)?.execute(params![room, revision, CHANGES_PER_REMOVAL])?;
    db.prepare_cached(RAISE)?.execute(params![room, offset, revision])?;
    Ok(())
}

/// How much rooms hold, in the order of their keys, beginning after the room `after`.
pub(super) fn contents(db: &Connection, after: Option<&Room>, limit: usize) -> rusqlite::Result<Vec<RoomContents>> {
    let mut select = db.prepare_cached(CONTENTS)?;
    let after = after.map(Room::key).unwrap_or_default();
    let rooms = select.query_map(params![after, limit], |row| {
        let key: String = row.get(0)?;
        let room = Room::from_key(&key).ok_or_else(|| invalid(0, key))?;
        let oldest = row.get::<_, Option<u64>>(2)?.map(Timestamp::from_millis);
        Ok(RoomContents { room, messages: row.get(1)?, oldest })
    })?;
    rooms.collect()
}

/// In the order of arrival, which reads pages of the table one after the other.
pub(super) const MESSAGES_OF: &str =
    "SELECT number, user_id = ?, id FROM messages WHERE number > ? ORDER BY number LIMIT ?";

/// One step of a search for all messages of a user.
pub(super) fn messages_of(db: &Connection, user: &UserId, from: ScanPlace) -> rusqlite::Result<FoundMessages> {
    let mut select = db.prepare_cached(MESSAGES_OF)?;
    let mut rows = select.query(params![user.as_str(), from.0, SCANNED])?;
    let (mut found, mut last) = (FoundMessages::default(), from);
    while let Some(row) = rows.next()? {
        found.scanned += 1;
        last = ScanPlace(row.get(0)?, 0);
        if row.get(1)? {
            found.messages.push(MessageId::from_bytes(row.get(2)?));
        }
    }
    found.next = (found.scanned == SCANNED as u64).then_some(last);
    Ok(found)
}

/// Number of idempotency keys of a user.
pub(super) fn key_count(db: &Connection, user: &UserId) -> rusqlite::Result<u64> {
    let mut count = db.prepare_cached("SELECT count(*) FROM idempotency_keys WHERE user_id = ?")?;
    count.query_row([user.as_str()], |row| row.get(0))
}
