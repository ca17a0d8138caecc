//! Queries that read memberships: which user belongs to which room, and their read marks.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    messages::{invalid, room_id},
    users,
};
use crate::{
    model::{Room, RoomRef, User, UserId},
    protocol::{Head, Membership, RoomUser, USERS_MAX, UserList},
    store::reads::{SCANNED_MAX, UNREAD_MAX, user_list},
};

/// The online users in order of name, then the other members in order of name, together at most [`USERS_MAX`]. Also the
/// total number of users who are online, members, or both; each is counted once.
pub(super) fn users(db: &Connection, room: &Room, present: Vec<User>) -> rusqlite::Result<UserList> {
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
    let members = select.query_map(params![id, USERS_MAX + present.len()], users::from_row)?;
    Ok(user_list(present, members.collect::<rusqlite::Result<_>>()?, user_count))
}

/// Members in order of id, beginning after the id `after`.
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
        "SELECT rooms.id, rooms.key, members.read, rooms.offset, rooms.revision
         FROM members JOIN rooms ON rooms.id = members.room WHERE members.user_id = ?",
    )?;
    let rows = select.query_map([user.as_str()], |row| {
        let head = Head { offset: row.get(3)?, revision: row.get(4)? };
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, u64>(2)?, head))
    })?;
    let mut rooms = Vec::new();
    for row in rows {
        let (id, key, read, head) = row?;
        let room = Room::from_key(&key).ok_or_else(|| invalid(1, key))?.for_reader(user);
        let with = match &room {
            RoomRef::With(other) => Some(users::named(db, other)?),
            RoomRef::Named(_) => None,
        };
        let unread = unread(db, id, user, read.max(head.offset.saturating_sub(SCANNED_MAX)))?;
        rooms.push((newest(db, id)?, Membership { room, head, read, unread, with }));
    }
    rooms.sort_by_key(|(newest, _)| std::cmp::Reverse(*newest));
    Ok(rooms.into_iter().map(|(_, membership)| membership).collect())
}

pub(super) const UNREAD: &str = "SELECT count(*) FROM (SELECT 1 FROM messages
    WHERE room = ? AND offset > ? AND user_id <> ? AND deleted_at IS NULL LIMIT ?)";

fn unread(db: &Connection, room: i64, user: &UserId, read: u64) -> rusqlite::Result<u64> {
    db.prepare_cached(UNREAD)?.query_row(params![room, read, user.as_str(), UNREAD_MAX], |row| row.get(0))
}

pub(super) const NEWEST: &str = "SELECT at FROM messages WHERE room = ? ORDER BY offset DESC LIMIT 1";

/// Time of the newest message, as a sort key; 0 without one.
fn newest(db: &Connection, room: i64) -> rusqlite::Result<u64> {
    let mut newest = db.prepare_cached(NEWEST)?;
    Ok(newest.query_row([room], |row| row.get(0)).optional()?.unwrap_or(0))
}
