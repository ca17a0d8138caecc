//! Queries that read memberships, users and rooms.

use std::collections::HashMap;

use anyhow::Result;
use deadpool_postgres::Object;
use tokio_postgres::Row;

use super::rows::{self, invalid, number, timestamp};
use crate::{
    model::{Room, RoomName, RoomRef, User, UserId},
    protocol::{Head, Membership, RoomUser, USERS_MAX, UserList},
    store::reads::{RoomNameQuery, SCANNED_MAX, StoredRoom, UNREAD_MAX, names_with_prefix, user, user_list},
};

/// Number of members, how many of the users `$2` are members, and at most `$3` members in order of name.
pub(super) const USERS: &str = "SELECT found.user_id, found.name, found.last_seen, rooms.member_count,
        (SELECT count(*) FROM members WHERE room = rooms.id AND user_id = ANY($2))
    FROM rooms LEFT JOIN LATERAL (
        SELECT members.user_id, users.name, users.last_seen FROM members
        LEFT JOIN users ON users.id = members.user_id WHERE members.room = rooms.id
        ORDER BY coalesce(users.name, members.user_id) LIMIT $3) AS found ON true
    WHERE rooms.key = $1 ORDER BY coalesce(found.name, found.user_id)";

/// The online users, then the other members; see the same function of SQLite.
pub(super) async fn users(client: &Object, room: &Room, present: Vec<User>) -> Result<UserList> {
    let select = client.prepare_cached(USERS).await?;
    let ids: Vec<&str> = present.iter().map(|user| user.id.as_str()).collect();
    let limit = (USERS_MAX + present.len()) as i64;
    let rows = client.query(&select, &[&room.key(), &ids, &limit]).await?;
    let user_count = rows.first().map_or(present.len(), |row| {
        let strangers = present.len() as u64 - number(row.get(4));
        (number(row.get(3)) + strangers) as usize
    });
    let members = rows.iter().filter(|row| row.get::<_, Option<&str>>(0).is_some());
    Ok(user_list(present, members.map(room_user).collect::<Result<_>>()?, user_count))
}

/// Reads id, name and time last seen. `online` is false, because the store does not know it.
fn room_user(row: &Row) -> Result<RoomUser> {
    let user = user(rows::user_id(row.get(0))?, row.get(1));
    Ok(RoomUser { user, online: false, last_seen: row.get::<_, Option<i64>>(2).map(timestamp) })
}

/// Members in order of id, beginning after the id `after`.
pub(super) async fn members_after(
    client: &Object,
    room: &Room,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<RoomUser>> {
    let select = client
        .prepare_cached(
            "SELECT members.user_id, users.name, users.last_seen FROM members
             LEFT JOIN users ON users.id = members.user_id
             WHERE members.room = (SELECT id FROM rooms WHERE key = $1) AND members.user_id > $2
             ORDER BY members.user_id LIMIT $3",
        )
        .await?;
    let after = after.map_or("", UserId::as_str);
    let rows = client.query(&select, &[&room.key(), &after, &(limit as i64)]).await?;
    rows.iter().map(room_user).collect()
}

/// The memberships of the user `$1`, with unread messages and the time of the newest one.
pub(super) const MEMBERSHIPS: &str = "SELECT rooms.key, members.read, rooms.newest_offset, rooms.revision,
        (SELECT count(*) FROM (SELECT 1 FROM messages WHERE messages.room = rooms.id
            AND room_offset > greatest(members.read, rooms.newest_offset - $2)
            AND messages.user_id <> $1 AND deleted_at IS NULL LIMIT $3) AS unread),
        (SELECT at FROM messages WHERE messages.room = rooms.id ORDER BY room_offset DESC LIMIT 1)
    FROM members JOIN rooms ON rooms.id = members.room WHERE members.user_id = $1";

/// The memberships of a user; rooms with the newest messages first.
pub(super) async fn memberships(client: &Object, user: &UserId) -> Result<Vec<Membership>> {
    let select = client.prepare_cached(MEMBERSHIPS).await?;
    let parameters = (SCANNED_MAX as i64, UNREAD_MAX as i64);
    let rows = client.query(&select, &[&user.as_str(), &parameters.0, &parameters.1]).await?;
    let mut memberships = Vec::new();
    for row in &rows {
        let room = rows::room(row.get(0))?.for_reader(user);
        let head = Head { offset: number(row.get(2)), revision: number(row.get(3)) };
        let newest = row.get::<_, Option<i64>>(5).unwrap_or(0);
        let (read, unread) = (number(row.get(1)), number(row.get(4)));
        memberships.push((newest, Membership { room, head, read, unread, with: None }));
    }
    add_others(client, memberships.iter_mut().map(|(_, membership)| membership)).await?;
    memberships.sort_by_key(|(newest, _)| std::cmp::Reverse(*newest));
    Ok(memberships.into_iter().map(|(_, membership)| membership).collect())
}

/// Adds the other users of direct messages, with their names.
async fn add_others(client: &Object, memberships: impl Iterator<Item = &mut Membership>) -> Result<()> {
    let direct = memberships.filter_map(|membership| match membership.room.clone() {
        RoomRef::With(other) => Some((membership, other)),
        RoomRef::Named(_) => None,
    });
    let direct: Vec<_> = direct.collect();
    if direct.is_empty() {
        return Ok(());
    }
    let select = client.prepare_cached("SELECT id, name FROM users WHERE id = ANY($1)").await?;
    let ids: Vec<&str> = direct.iter().map(|(_, other)| other.as_str()).collect();
    let rows = client.query(&select, &[&ids]).await?;
    let names: HashMap<&str, &str> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for (membership, other) in direct {
        let name = names.get(other.as_str()).copied();
        membership.with = Some(user(other, name));
    }
    Ok(())
}

/// A user by id; `None` if this id is unknown.
pub(super) async fn find_user(client: &Object, id: &UserId) -> Result<Option<RoomUser>> {
    let select = client.prepare_cached("SELECT id, name, last_seen FROM users WHERE id = $1").await?;
    client.query_opt(&select, &[&id.as_str()]).await?.as_ref().map(room_user).transpose()
}

/// Users in order of id, beginning after the id `after`.
pub(super) async fn users_after(client: &Object, after: Option<&UserId>, limit: usize) -> Result<Vec<RoomUser>> {
    let sql = "SELECT id, name, last_seen FROM users WHERE id > $1 ORDER BY id LIMIT $2";
    let select = client.prepare_cached(sql).await?;
    let rows = client.query(&select, &[&after.map_or("", UserId::as_str), &(limit as i64)]).await?;
    rows.iter().map(room_user).collect()
}

/// The names of rooms in alphabetical order, without direct messages.
pub(super) async fn room_names(client: &Object, which: &RoomNameQuery, limit: usize) -> Result<Vec<RoomName>> {
    let (start, is_left_out) = which.start();
    let sql = match is_left_out {
        true => "SELECT key FROM rooms WHERE key > $1 ORDER BY key LIMIT $2",
        false => "SELECT key FROM rooms WHERE key >= $1 ORDER BY key LIMIT $2",
    };
    let select = client.prepare_cached(sql).await?;
    let rows = client.query(&select, &[&start, &(limit as i64)]).await?;
    names_with_prefix(rows.iter().map(|row| Ok(row.get(0))), &which.prefix, invalid)
}

/// Head and member count of each room; `None` for a room that is not stored.
pub(super) async fn stored_rooms(client: &Object, names: &[RoomName]) -> Result<Vec<Option<StoredRoom>>> {
    let sql = "SELECT key, newest_offset, revision, member_count, newest_offset - removed_offset FROM rooms WHERE key = ANY($1)";
    let select = client.prepare_cached(sql).await?;
    let keys: Vec<&str> = names.iter().map(RoomName::as_str).collect();
    let rows = client.query(&select, &[&keys]).await?;
    let stored = |row: &Row| {
        let head = Head { offset: number(row.get(1)), revision: number(row.get(2)) };
        let (member_count, message_count) = (number(row.get(3)), number(row.get(4)));
        (row.get::<_, String>(0), StoredRoom { head, member_count, message_count })
    };
    let stored: HashMap<String, StoredRoom> = rows.iter().map(stored).collect();
    Ok(names.iter().map(|name| stored.get(name.as_str()).copied()).collect())
}
