//! Memberships: which user belongs to which room, and the read mark of each.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    command::Command,
    failure::Failure,
    messages::{head, invalid, room_id},
    tables::Tables,
    users,
};
use crate::{
    error::Error,
    model::{Room, RoomRef, User, UserId},
    protocol::{Membership, RoomUser, USERS_MAX, UserList},
};

/// The highest count of unread messages that is reported.
const UNREAD_MAX: u64 = 1_000;
/// How many of a room's newest messages are looked at: own and deleted messages are not counted, but cost time.
const LOOKED_AT: u64 = 10_000;

/// Adds a membership.
pub struct Join {
    /// The user who joins.
    pub user: UserId,
    /// The room to join.
    pub room: Room,
    /// The user's `limits.rooms-per-user`.
    pub rooms_per_user: usize,
}

impl Command for Join {
    /// False if the user was a member before.
    type Output = bool;

    fn apply(&self, tables: &mut Tables) -> Result<bool, Failure> {
        if let Some(state) = tables.room(&self.room)?
            && tables.is_member(&self.user, state.id)?
        {
            return Ok(false);
        }
        tables.check_room_for_one_more(&self.user, self.rooms_per_user)?;
        let room = tables.room_or_new(&self.room)?;
        tables.add_member(&self.user, room.id)?;
        Ok(true)
    }
}

/// Removes a membership, if there is one.
pub struct Leave {
    /// The user who leaves.
    pub user: UserId,
    /// The room to leave.
    pub room: Room,
}

impl Command for Leave {
    type Output = ();

    fn apply(&self, tables: &mut Tables) -> Result<(), Failure> {
        let Some(room) = tables.room(&self.room)? else { return Ok(()) };
        Ok(tables.remove_member(&self.user, room.id)?)
    }
}

/// Moves a user's read mark forward.
pub struct MarkRead {
    /// The reader.
    pub user: UserId,
    /// The room.
    pub room: Room,
    /// Offset of the last message read; limited to the newest offset of the room.
    pub offset: u64,
}

/// The read mark after a [`MarkRead`].
#[derive(Debug, Clone, Copy)]
pub struct Marked {
    /// Offset of the last message read.
    pub offset: u64,
    /// False if the mark was at this offset or beyond it.
    pub moved: bool,
}

impl Command for MarkRead {
    type Output = Marked;

    fn apply(&self, tables: &mut Tables) -> Result<Marked, Failure> {
        let no_member = || Error::NotFound("there is no membership in this room".to_owned());
        let room = tables.room(&self.room)?.ok_or_else(no_member)?;
        let mut find = tables.db.prepare_cached("SELECT read FROM members WHERE user_id = ? AND room = ?")?;
        let read: Option<u64> = find.query_row(params![self.user.as_str(), room.id], |row| row.get(0)).optional()?;
        let read = read.ok_or_else(no_member)?;
        let offset = self.offset.min(room.offset);
        if offset <= read {
            return Ok(Marked { offset: read, moved: false });
        }
        let mut update = tables.db.prepare_cached("UPDATE members SET read = ? WHERE user_id = ? AND room = ?")?;
        update.execute(params![offset, self.user.as_str(), room.id])?;
        Ok(Marked { offset, moved: true })
    }
}

/// The online users, then the other members, both by name, at most [`USERS_MAX`]; and the count of both.
pub(super) fn users(db: &Connection, room: &Room, mut present: Vec<User>) -> Result<UserList, rusqlite::Error> {
    present.sort_by(|one, other| one.name.cmp(&other.name));
    let id = room_id(db, room)?.unwrap_or(0);
    let mut count = db.prepare_cached("SELECT member_count FROM rooms WHERE id = ?")?;
    let mut user_count: usize = count.query_row([id], |row| row.get(0)).optional()?.unwrap_or(0);
    let mut find = db.prepare_cached("SELECT 1 FROM members WHERE user_id = ? AND room = ?")?;
    for user in &present {
        user_count += usize::from(!find.exists(params![user.id.as_str(), id])?);
    }
    let mut select = db.prepare_cached(
        "SELECT members.user_id, users.name, users.last_seen FROM members
         LEFT JOIN users ON users.id = members.user_id WHERE members.room = ?
         ORDER BY coalesce(users.name, members.user_id) LIMIT ?",
    )?;
    let away = select.query_map(params![id, USERS_MAX + present.len()], users::from_row)?;
    let here: HashSet<UserId> = present.iter().map(|user| user.id.clone()).collect();
    let online = present.into_iter().map(|user| Ok(RoomUser { user, online: true, last_seen: None }));
    let away = away.filter(|user| !user.as_ref().is_ok_and(|away| here.contains(&away.user.id)));
    let users = online.chain(away).take(USERS_MAX).collect::<rusqlite::Result<_>>()?;
    Ok(UserList { users, user_count })
}

/// Members in order of id, from the one after `after`.
pub(super) fn members_after(
    db: &Connection,
    room: &Room,
    after: Option<&UserId>,
    limit: usize,
) -> rusqlite::Result<Vec<RoomUser>> {
    let Some(id) = room_id(db, room)? else { return Ok(Vec::new()) };
    let mut select = db.prepare_cached(
        "SELECT members.user_id, users.name, users.last_seen FROM members
         LEFT JOIN users ON users.id = members.user_id
         WHERE members.room = ? AND members.user_id > ? ORDER BY members.user_id LIMIT ?",
    )?;
    let after = after.map_or("", UserId::as_str);
    select.query_map(params![id, after, limit], users::from_row)?.collect()
}

pub(super) fn memberships(db: &Connection, user: &UserId) -> Result<Vec<Membership>, rusqlite::Error> {
    let mut select = db.prepare_cached(
        "SELECT rooms.id, rooms.key, members.read FROM members JOIN rooms ON rooms.id = members.room
         WHERE members.user_id = ?",
    )?;
    let rows = select.query_map([user.as_str()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, u64>(2)?))
    })?;
    let mut rooms = Vec::new();
    for row in rows {
        let (id, key, read) = row?;
        let room = Room::from_key(&key).ok_or_else(|| invalid(1, key))?.for_reader(user);
        let with = match &room {
            RoomRef::With(other) => Some(users::named(db, other)?),
            RoomRef::Named(_) => None,
        };
        let head = head(db, id)?;
        let unread = unread(db, id, user, read.max(head.offset.saturating_sub(LOOKED_AT)))?;
        rooms.push((newest(db, id)?, Membership { room, head, read, unread, with }));
    }
    rooms.sort_by_key(|(newest, _)| std::cmp::Reverse(*newest));
    Ok(rooms.into_iter().map(|(_, membership)| membership).collect())
}

fn unread(db: &Connection, room: i64, user: &UserId, read: u64) -> rusqlite::Result<u64> {
    let mut count = db.prepare_cached(
        "WITH RECURSIVE chain (offset, previous, counts) AS (
           SELECT offset, previous, user_id <> ?3 AND deleted_at IS NULL FROM messages
             WHERE number = (SELECT newest FROM rooms WHERE id = ?1)
           UNION ALL
           SELECT messages.offset, messages.previous, messages.user_id <> ?3 AND messages.deleted_at IS NULL
             FROM chain JOIN messages ON messages.number = chain.previous WHERE chain.offset > ?2
         ) SELECT count(*) FROM (SELECT 1 FROM chain WHERE offset > ?2 AND counts LIMIT ?4)",
    )?;
    count.query_row(params![room, read, user.as_str(), UNREAD_MAX], |row| row.get(0))
}

/// Time of the newest message, as a sort key.
fn newest(db: &Connection, room: i64) -> rusqlite::Result<u64> {
    let mut newest =
        db.prepare_cached("SELECT at FROM messages WHERE number = (SELECT newest FROM rooms WHERE id = ?)")?;
    Ok(newest.query_row([room], |row| row.get(0)).optional()?.unwrap_or(0))
}
