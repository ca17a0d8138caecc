//! The tables for the writing thread, with a cache between commands: most commands read nothing from the database.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, Statement, params};

use super::{chain, failure::Failure};
use crate::{
    error::Error,
    metrics::Metrics,
    model::{Message, MessageId, Room, Timestamp, User, UserId},
};

/// Maximal entries of each cache. A full cache is emptied. The number is a bound and was not tuned.
const REMEMBERED: usize = 100_000;

const INSERT: &str = "INSERT INTO messages
    (number, previous, room, offset, id, revision, user_id, user_name, at, idempotency_key, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// The database for the writing thread, with a cache. No other thread writes, so the cache stays valid until a
/// rollback.
pub(crate) struct Tables<'a> {
    pub(super) db: &'a Connection,
    metrics: &'a Metrics,
    /// The INSERT of a message, prepared at its first use. Most commands run it.
    insert: Option<Statement<'a>>,
    /// Number and id of the newest message in all rooms, read from the database at the first insert.
    newest: Option<(i64, MessageId)>,
    /// New messages: room id and message number. [`Tables::keep_newest`] writes them to `rooms.newest` before the
    /// commit.
    moved: Vec<(i64, i64)>,
    rooms: HashMap<Room, RoomState>,
    members: HashSet<(UserId, i64)>,
    names: HashMap<UserId, std::sync::Arc<str>>,
}

/// A room's id, its newest message and its number of changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoomState {
    pub(super) id: i64,
    /// The newest message's offset.
    pub(super) offset: u64,
    /// Number of edits and deletions.
    pub(super) changes: u64,
    /// The newest message's number.
    pub(super) newest: Option<i64>,
}

impl RoomState {
    pub(super) fn revision(self) -> u64 {
        self.offset + self.changes
    }
}

impl<'a> Tables<'a> {
    pub(super) fn new(db: &'a Connection, metrics: &'a Metrics) -> Self {
        Self {
            db,
            metrics,
            insert: None,
            newest: None,
            moved: Vec::new(),
            rooms: HashMap::new(),
            members: HashSet::new(),
            names: HashMap::new(),
        }
    }

    /// Empties the cache. Called after a rollback, when the cache may not match the database.
    pub(super) fn forget(&mut self) {
        self.newest = None;
        self.moved.clear();
        self.rooms.clear();
        self.members.clear();
        self.names.clear();
    }

    /// The number and the id of the next message. The caller must insert that message.
    pub(super) fn next(&mut self) -> rusqlite::Result<(i64, MessageId)> {
        if self.newest.is_none() {
            self.newest = chain::newest(self.db)?;
        }
        let next = self.newest.map_or_else(|| (1, MessageId::new()), |(number, id)| (number + 1, id.next()));
        self.newest = Some(next);
        Ok(next)
    }

    /// Inserts a message as the newest of its room. Returns the room's new state.
    pub(super) fn insert(&mut self, number: i64, room: RoomState, message: &Message) -> rusqlite::Result<RoomState> {
        let insert = match &mut self.insert {
            Some(insert) => insert,
            none => none.insert(self.db.prepare(INSERT)?),
        };
        insert.execute(params![
            number,
            room.newest,
            room.id,
            message.offset,
            message.id.as_bytes(),
            message.revision,
            message.from.id.as_str(),
            &*message.from.name,
            message.at.as_millis(),
            message.idempotency_key,
            message.body.as_str(),
        ])?;
        self.moved.push((room.id, number));
        Ok(RoomState { offset: message.offset, newest: Some(number), ..room })
    }

    /// Updates `rooms.newest` for the inserted messages: one UPDATE per room, not one per message.
    pub(super) fn keep_newest(&mut self) -> rusqlite::Result<()> {
        self.moved.sort_unstable();
        let mut update = self.db.prepare_cached("UPDATE rooms SET newest = ? WHERE id = ?")?;
        for moved in self.moved.chunk_by(|one, other| one.0 == other.0) {
            if let Some((room, newest)) = moved.last() {
                update.execute([newest, room])?;
            }
        }
        self.moved.clear();
        Ok(())
    }

    /// The state of a room. `None` if the room has no row.
    pub(super) fn room(&mut self, room: &Room) -> rusqlite::Result<Option<RoomState>> {
        if let Some(state) = self.rooms.get(room) {
            return Ok(Some(*state));
        }
        self.keep_newest()?;
        let mut find = self.db.prepare_cached("SELECT id, newest FROM rooms WHERE key = ?")?;
        let found = find.query_row([room.key()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((id, newest)) = found else { return Ok(None) };
        let offset = chain::newest_offset(self.db, id)?;
        let state = RoomState { id, offset, changes: newest_change(self.db, id)?, newest };
        self.remember(room, state);
        Ok(Some(state))
    }

    /// The state of a room. Inserts a row if the room has none.
    pub(super) fn room_or_new(&mut self, room: &Room) -> rusqlite::Result<RoomState> {
        if let Some(state) = self.room(room)? {
            return Ok(state);
        }
        self.db.prepare_cached("INSERT INTO rooms (key) VALUES (?)")?.execute([room.key()])?;
        let state = RoomState { id: self.db.last_insert_rowid(), offset: 0, changes: 0, newest: None };
        self.remember(room, state);
        Ok(state)
    }

    pub(super) fn remember(&mut self, room: &Room, state: RoomState) {
        if let Some(known) = self.rooms.get_mut(room) {
            *known = state;
            return;
        }
        if self.rooms.len() >= REMEMBERED {
            self.rooms.clear();
        }
        self.rooms.insert(room.clone(), state);
    }

    pub(super) fn is_member(&mut self, user: &UserId, room: i64) -> rusqlite::Result<bool> {
        let key = (user.clone(), room);
        if self.members.contains(&key) {
            return Ok(true);
        }
        let mut find = self.db.prepare_cached("SELECT 1 FROM members WHERE user_id = ? AND room = ?")?;
        let is_member = find.exists(params![user.as_str(), room])?;
        if is_member {
            self.remember_member(key);
        }
        Ok(is_member)
    }

    /// Fails with `forbidden` if the user has `most` memberships or more. Must be called before [`Tables::add_member`].
    /// Direct messages do not count, because other users can start them. Their keys begin with U+0001.
    pub(super) fn check_room_for_one_more(&self, user: &UserId, most: usize) -> Result<(), Failure> {
        if most == usize::MAX {
            return Ok(());
        }
        let mut count = self.db.prepare_cached(
            "SELECT count(*) FROM members JOIN rooms ON rooms.id = members.room
             WHERE user_id = ? AND unicode(rooms.key) <> 1",
        )?;
        let rooms: u64 = count.query_row([user.as_str()], |row| row.get(0))?;
        if rooms >= most as u64 {
            self.metrics.limited("rooms-per-user");
            let what = format!("a user may belong to at most {most} rooms (limits.rooms-per-user)");
            return Err(Error::Forbidden(what).into());
        }
        Ok(())
    }

    pub(super) fn add_member(&mut self, user: &UserId, room: i64) -> rusqlite::Result<()> {
        let mut insert = self
            .db
            .prepare_cached("INSERT INTO members (user_id, room, joined_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")?;
        if insert.execute(params![user.as_str(), room, Timestamp::now().as_millis()])? > 0 {
            let mut count = self.db.prepare_cached("UPDATE rooms SET member_count = member_count + 1 WHERE id = ?")?;
            count.execute([room])?;
        }
        self.remember_member((user.clone(), room));
        Ok(())
    }

    pub(super) fn remove_member(&mut self, user: &UserId, room: i64) -> rusqlite::Result<()> {
        let mut delete = self.db.prepare_cached("DELETE FROM members WHERE user_id = ? AND room = ?")?;
        if delete.execute(params![user.as_str(), room])? > 0 {
            let mut count = self.db.prepare_cached("UPDATE rooms SET member_count = member_count - 1 WHERE id = ?")?;
            count.execute([room])?;
        }
        self.members.remove(&(user.clone(), room));
        Ok(())
    }

    fn remember_member(&mut self, key: (UserId, i64)) {
        if self.members.len() >= REMEMBERED {
            self.members.clear();
        }
        self.members.insert(key);
    }

    /// Saves a user's current name, if it has changed.
    pub(super) fn know(&mut self, user: &User) -> rusqlite::Result<()> {
        if self.names.get(&user.id) == Some(&user.name) {
            return Ok(());
        }
        let mut upsert = self.db.prepare_cached(
            "INSERT INTO users (id, name) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET name = ?2 WHERE name <> ?2",
        )?;
        upsert.execute(params![user.id.as_str(), &*user.name])?;
        if self.names.len() >= REMEMBERED {
            self.names.clear();
        }
        self.names.insert(user.id.clone(), user.name.clone());
        Ok(())
    }
}

/// Number of edits and deletions in a room: the `nth` of its newest change.
pub(super) fn newest_change(db: &Connection, room: i64) -> rusqlite::Result<u64> {
    let mut newest = db.prepare_cached("SELECT nth FROM changes WHERE room = ? ORDER BY revision DESC LIMIT 1")?;
    Ok(newest.query_row([room], |row| row.get(0)).optional()?.unwrap_or(0))
}
