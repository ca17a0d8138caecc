//! The writing thread's access to SQLite's tables. Its cache lives longer than one command, so that most commands read
//! nothing from the database.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};

use super::{messages, removal, word_index::WordIndex};
use crate::{
    metrics::Metrics,
    model::{Message, MessageId, Room, RoomRef, Timestamp, User, UserId},
    store::tables::{OldMessage, Owed, RoomState, Settlement, Tables, UsedKey},
};

/// Maximum number of entries of each cache. A full cache is cleared. The number was not tuned.
const CACHE_MAX: usize = 100_000;

/// Maximum number of expired keys that each post with a key deletes. The number is small, so that no commit deletes
/// many keys.
const EXPIRED_KEYS_PER_POST: usize = 4;

pub(super) const UPDATE: &str = "UPDATE messages
    SET revision = ?, user_id = ?, user_name = ?, idempotency_key = ?, edited_at = ?, deleted_at = ?, body = ?
    WHERE room = ? AND offset = ?";

const INSERT: &str = "INSERT INTO messages
    (room, offset, id, revision, user_id, user_name, at, idempotency_key, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// The database for the writing thread, with a cache. No other thread writes, so the cache stays valid until a
/// rollback.
pub(super) struct SqliteTables<'a> {
    pub(super) db: &'a Connection,
    metrics: &'a Metrics,
    /// The INSERT of a message, prepared at its first use: most commands run it.
    insert: Option<Statement<'a>>,
    /// The room's state after each post, edit and deletion since the last [`SqliteTables::write_rooms`].
    changed: Vec<RoomState>,
    rooms: HashMap<Room, RoomState>,
    members: HashSet<(UserId, i64)>,
    names: HashMap<UserId, std::sync::Arc<str>>,
    /// The index of the search; `None` if nothing is searched.
    words: Option<WordIndex>,
    /// Whether messages were removed since the last [`SqliteTables::take_has_removed`].
    has_removed: bool,
}

impl<'a> SqliteTables<'a> {
    pub(super) fn new(db: &'a Connection, metrics: &'a Metrics) -> Self {
        Self {
            db,
            metrics,
            insert: None,
            changed: Vec::new(),
            rooms: HashMap::new(),
            members: HashSet::new(),
            names: HashMap::new(),
            words: None,
            has_removed: false,
        }
    }

    /// Keeps the index of the search too.
    pub(super) fn with_words(self, words: Option<WordIndex>) -> Self {
        Self { words, ..self }
    }

    /// Clears the cache. Called after a rollback, when the cache may not match the database.
    pub(super) fn clear_cache(&mut self) {
        self.changed.clear();
        self.rooms.clear();
        self.members.clear();
        self.names.clear();
        if let Some(words) = &mut self.words {
            words.clear();
        }
    }

    /// Whether messages were removed since the last call.
    pub(super) fn take_has_removed(&mut self) -> bool {
        std::mem::take(&mut self.has_removed)
    }

    /// Writes the words of the changed messages. Called at the end of each transaction.
    pub(super) fn write_words(&mut self) -> rusqlite::Result<()> {
        self.words.as_mut().map_or(Ok(()), |words| words.write(self.db))
    }

    /// Updates the rows of the rooms that have changed: one UPDATE per room, not one per message. Called at the end of
    /// each transaction.
    pub(super) fn write_rooms(&mut self) -> rusqlite::Result<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let now = Timestamp::now().as_millis();
        self.changed.sort_unstable_by_key(|state| (state.id, state.revision));
        let mut update =
            self.db.prepare_cached("UPDATE rooms SET offset = ?, revision = ?, committed_at = ? WHERE id = ?")?;
        for states in self.changed.chunk_by(|one, other| one.id == other.id) {
            if let Some(newest) = states.last() {
                update.execute(params![newest.offset, newest.revision, now, newest.id])?;
            }
        }
        self.changed.clear();
        Ok(())
    }

    fn cache_room(&mut self, room: &Room, state: RoomState) {
        if let Some(known) = self.rooms.get_mut(room) {
            *known = state;
            return;
        }
        if self.rooms.len() >= CACHE_MAX {
            self.rooms.clear();
        }
        self.rooms.insert(room.clone(), state);
    }

    fn cache_member(&mut self, key: (UserId, i64)) {
        if self.members.len() >= CACHE_MAX {
            self.members.clear();
        }
        self.members.insert(key);
    }
}

impl Tables for SqliteTables<'_> {
    fn metrics(&self) -> &Metrics {
        self.metrics
    }

    fn room(&mut self, room: &Room) -> Result<Option<RoomState>> {
        if let Some(state) = self.rooms.get(room) {
            return Ok(Some(*state));
        }
        // The cache may have been cleared since this transaction changed the room.
        self.write_rooms()?;
        let mut find = self.db.prepare_cached("SELECT id, offset, revision FROM rooms WHERE key = ?")?;
        let state = |row: &Row<'_>| Ok(RoomState { id: row.get(0)?, offset: row.get(1)?, revision: row.get(2)? });
        let Some(state) = find.query_row([room.key()], state).optional()? else { return Ok(None) };
        self.cache_room(room, state);
        Ok(Some(state))
    }

    fn room_or_new(&mut self, room: &Room) -> Result<RoomState> {
        if let Some(state) = self.room(room)? {
            return Ok(state);
        }
        self.db.prepare_cached("INSERT INTO rooms (key) VALUES (?)")?.execute([room.key()])?;
        let state = RoomState { id: self.db.last_insert_rowid(), offset: 0, revision: 0 };
        self.cache_room(room, state);
        Ok(state)
    }

    fn set_room(&mut self, room: &Room, state: RoomState) {
        self.changed.push(state);
        self.cache_room(room, state);
    }

    fn is_member(&mut self, user: &UserId, room: i64) -> Result<bool> {
        let key = (user.clone(), room);
        if self.members.contains(&key) {
            return Ok(true);
        }
        let mut find = self.db.prepare_cached("SELECT 1 FROM members WHERE user_id = ? AND room = ?")?;
        let is_member = find.exists(params![user.as_str(), room])?;
        if is_member {
            self.cache_member(key);
        }
        Ok(is_member)
    }

    fn count_named_rooms(&mut self, user: &UserId) -> Result<u64> {
        // Keys of direct messages begin with U+0001.
        let mut count = self.db.prepare_cached(
            "SELECT count(*) FROM members JOIN rooms ON rooms.id = members.room
             WHERE user_id = ? AND unicode(rooms.key) <> 1",
        )?;
        Ok(count.query_row([user.as_str()], |row| row.get(0))?)
    }

    fn add_member(&mut self, user: &UserId, room: i64) -> Result<()> {
        let mut insert = self
            .db
            .prepare_cached("INSERT INTO members (user_id, room, joined_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")?;
        if insert.execute(params![user.as_str(), room, Timestamp::now().as_millis()])? > 0 {
            let mut count = self.db.prepare_cached("UPDATE rooms SET member_count = member_count + 1 WHERE id = ?")?;
            count.execute([room])?;
        }
        self.cache_member((user.clone(), room));
        Ok(())
    }

    fn remove_member(&mut self, user: &UserId, room: i64) -> Result<()> {
        let mut delete = self.db.prepare_cached("DELETE FROM members WHERE user_id = ? AND room = ?")?;
        if delete.execute(params![user.as_str(), room])? > 0 {
            let mut count = self.db.prepare_cached("UPDATE rooms SET member_count = member_count - 1 WHERE id = ?")?;
            count.execute([room])?;
        }
        self.members.remove(&(user.clone(), room));
        Ok(())
    }

    fn read_mark(&mut self, user: &UserId, room: i64) -> Result<Option<u64>> {
        let mut find = self.db.prepare_cached("SELECT read FROM members WHERE user_id = ? AND room = ?")?;
        Ok(find.query_row(params![user.as_str(), room], |row| row.get(0)).optional()?)
    }

    fn set_read_mark(&mut self, user: &UserId, room: i64, offset: u64) -> Result<()> {
        let mut update = self.db.prepare_cached("UPDATE members SET read = ? WHERE user_id = ? AND room = ?")?;
        update.execute(params![offset, user.as_str(), room])?;
        Ok(())
    }

    fn save_name(&mut self, user: &User) -> Result<()> {
        if self.names.get(&user.id) == Some(&user.name) {
            return Ok(());
        }
        let mut upsert = self.db.prepare_cached(
            "INSERT INTO users (id, name) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET name = ?2 WHERE name <> ?2",
        )?;
        upsert.execute(params![user.id.as_str(), &*user.name])?;
        if self.names.len() >= CACHE_MAX {
            self.names.clear();
        }
        self.names.insert(user.id.clone(), user.name.clone());
        Ok(())
    }

    fn save_last_seen(&mut self, user: &UserId, at: Timestamp) -> Result<()> {
        let mut update = self.db.prepare_cached("UPDATE users SET last_seen = ? WHERE id = ?")?;
        update.execute(params![at.as_millis(), user.as_str()])?;
        Ok(())
    }

    fn message(&mut self, id: MessageId) -> Result<Option<(Room, Message)>> {
        Ok(messages::by_id(self.db, id)?)
    }

    fn message_at(&mut self, room: i64, offset: u64, seen_as: &RoomRef) -> Result<Option<Message>> {
        Ok(messages::by_offset(self.db, room, offset, seen_as)?)
    }

    fn insert_message(&mut self, room: i64, message: &Message) -> Result<()> {
        let insert = match &mut self.insert {
            Some(insert) => insert,
            none => none.insert(self.db.prepare(INSERT)?),
        };
        insert.execute(params![
            room,
            message.offset,
            message.id.as_bytes(),
            message.revision,
            message.from.id.as_str(),
            &*message.from.name,
            message.at.as_millis(),
            message.idempotency_key,
            message.body.as_str(),
        ])?;
        if let Some(words) = &mut self.words {
            words.insert(self.db, self.db.last_insert_rowid(), room, message)?;
        }
        Ok(())
    }

    fn change_message(&mut self, room: i64, message: &Message, nth: u64) -> Result<()> {
        self.db.prepare_cached(UPDATE)?.execute(params![
            message.revision,
            message.from.id.as_str(),
            &*message.from.name,
            message.idempotency_key,
            message.edited_at.map(Timestamp::as_millis),
            message.deleted_at.map(Timestamp::as_millis),
            message.body.as_str(),
            room,
            message.offset,
        ])?;
        let mut log =
            self.db.prepare_cached("INSERT INTO changes (room, revision, nth, offset) VALUES (?, ?, ?, ?)")?;
        log.execute(params![room, message.revision, nth, message.offset])?;
        if let Some(words) = &mut self.words {
            words.replace(self.db, room, message)?;
        }
        Ok(())
    }

    fn oldest(&mut self, room: i64, limit: usize) -> Result<Vec<OldMessage>> {
        removal::oldest(self.db, room, limit)
    }

    fn remove_up_to(&mut self, room: i64, offset: u64, revision: u64) -> Result<()> {
        // The words of messages of this transaction: the trigger removes only those that are written.
        if let Some(words) = &mut self.words {
            words.write(self.db)?;
        }
        self.has_removed = true;
        removal::remove_up_to(self.db, room, offset, revision)
    }

    fn used_key(&mut self, user: &UserId, key: &str, oldest: Timestamp) -> Result<Option<UsedKey>> {
        let mut find = self.db.prepare_cached(
            "SELECT room, offset, digest FROM idempotency_keys WHERE user_id = ? AND key = ? AND at > ?",
        )?;
        let used = |row: &Row<'_>| Ok(UsedKey { room: row.get(0)?, offset: row.get(1)?, digest: row.get(2)? });
        Ok(find.query_row(params![user.as_str(), key, oldest.as_millis()], used).optional()?)
    }

    fn keep_key(&mut self, user: &UserId, key: &str, used: &UsedKey, at: Timestamp, oldest: Timestamp) -> Result<()> {
        let mut sweep = self.db.prepare_cached(
            "DELETE FROM idempotency_keys WHERE (user_id, key) IN
             (SELECT user_id, key FROM idempotency_keys WHERE at <= ? ORDER BY at LIMIT ?)",
        )?;
        sweep.execute(params![oldest.as_millis(), EXPIRED_KEYS_PER_POST])?;
        let mut insert = self.db.prepare_cached(
            "INSERT OR REPLACE INTO idempotency_keys (user_id, key, room, offset, digest, at) VALUES (?, ?, ?, ?, ?, ?)",
        )?;
        insert.execute(params![user.as_str(), key, used.room, used.offset, used.digest, at.as_millis()])?;
        Ok(())
    }

    fn remove_user(&mut self, user: &UserId) -> Result<()> {
        self.names.remove(user);
        self.db.prepare_cached("DELETE FROM users WHERE id = ?")?.execute([user.as_str()])?;
        Ok(())
    }

    fn remove_keys(&mut self, user: &UserId, limit: usize) -> Result<()> {
        let mut delete = self.db.prepare_cached(
            "DELETE FROM idempotency_keys WHERE user_id = ?1 AND key IN
             (SELECT key FROM idempotency_keys WHERE user_id = ?1 LIMIT ?2)",
        )?;
        delete.execute(params![user.as_str(), limit])?;
        Ok(())
    }

    fn index_older(&mut self, limit: usize) -> Result<bool> {
        let Some(words) = &mut self.words else { return Ok(false) };
        Ok(words.index_older(self.db, limit)?)
    }

    fn owe(&mut self, target: &str, payload: &str) -> Result<()> {
        let mut insert = self
            .db
            .prepare_cached("INSERT INTO outbox (target, payload, created_at, due_at) VALUES (?1, ?2, ?3, ?3)")?;
        insert.execute(params![target, payload, Timestamp::now().as_millis()])?;
        Ok(())
    }

    fn take_owed(&mut self, target: &str, limit: usize, now: Timestamp, until: Timestamp) -> Result<Vec<Owed>> {
        let mut latest =
            self.db.prepare_cached("SELECT max(due_at) FROM outbox WHERE target = ? AND state = 'waiting'")?;
        let latest: Option<u64> = latest.query_row([target], |row| row.get(0))?;
        if latest.is_none_or(|latest| latest > now.as_millis()) {
            return Ok(Vec::new());
        }
        let mut take = self.db.prepare_cached(
            "UPDATE outbox SET due_at = ? WHERE number IN
             (SELECT number FROM outbox WHERE target = ? AND state = 'waiting' ORDER BY number LIMIT ?)
             RETURNING number, payload, created_at, attempts",
        )?;
        let taken = take.query_map(params![until.as_millis(), target, limit], |row| {
            let created_at = Timestamp::from_millis(row.get(2)?);
            Ok(Owed { number: row.get(0)?, payload: row.get(1)?, created_at, attempts: row.get(3)? })
        })?;
        let mut taken: Vec<Owed> = taken.collect::<rusqlite::Result<_>>()?;
        taken.sort_unstable_by_key(|owed| owed.number);
        Ok(taken)
    }

    fn settle_owed(&mut self, number: i64, settlement: Settlement) -> Result<()> {
        match settlement {
            Settlement::Delivered => {
                self.db.prepare_cached("DELETE FROM outbox WHERE number = ?")?.execute([number])?;
            }
            Settlement::Retry(at) => {
                let sql = "UPDATE outbox SET attempts = attempts + 1, due_at = ? WHERE number = ?";
                self.db.prepare_cached(sql)?.execute(params![at.as_millis(), number])?;
            }
            Settlement::Failed => {
                let sql = "UPDATE outbox SET attempts = attempts + 1, state = 'failed' WHERE number = ?";
                self.db.prepare_cached(sql)?.execute([number])?;
            }
        }
        Ok(())
    }

    fn probe(&mut self) -> Result<()> {
        // A value that the database already has.
        let version: i64 = self.db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(self.db.pragma_update(None, "user_version", version)?)
    }
}
