//! Queries that read users: name and time last seen.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::messages::invalid;
use crate::{
    model::{Timestamp, User, UserId},
    protocol::RoomUser,
    store::reads::user,
};

/// Reads id, name and time last seen. `online` is false, because the store does not know it. If no name is stored, the
/// name is the id.
pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<RoomUser> {
    let id = UserId::parse(row.get_ref(0)?.as_str()?).map_err(|text| invalid(0, text))?;
    let name: Option<String> = row.get(1)?;
    let last_seen = row.get::<_, Option<u64>>(2)?.map(Timestamp::from_millis);
    Ok(RoomUser { user: user(id, name.as_deref()), online: false, last_seen })
}

pub(super) fn find(db: &Connection, id: &UserId) -> rusqlite::Result<Option<RoomUser>> {
    let mut find = db.prepare_cached("SELECT id, name, last_seen FROM users WHERE id = ?")?;
    find.query_row([id.as_str()], from_row).optional()
}

/// The user with its stored name. If no name is stored, the name is the id.
pub(super) fn named(db: &Connection, id: &UserId) -> rusqlite::Result<User> {
    Ok(find(db, id)?.map_or_else(|| user(id.clone(), None), |known| known.user))
}

/// Users in order of id, beginning after the id `after`.
pub(super) fn after(db: &Connection, after: Option<&UserId>, limit: usize) -> rusqlite::Result<Vec<RoomUser>> {
    let mut select = db.prepare_cached("SELECT id, name, last_seen FROM users WHERE id > ? ORDER BY id LIMIT ?")?;
    select.query_map(params![after.map_or("", UserId::as_str), limit], from_row)?.collect()
}
