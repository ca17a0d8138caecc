//! Commands and queries for users: name and time last seen.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{command::Command, failure::Failure, messages::invalid, tables::Tables};
use crate::{
    model::{Timestamp, User, UserId},
    protocol::RoomUser,
};

/// Stores a user's name, which user lists show while the user is offline.
pub struct Known(pub User);

impl Command for Known {
    type Output = ();

    fn apply(&self, tables: &mut Tables) -> Result<(), Failure> {
        Ok(tables.know(&self.0)?)
    }
}

/// Stores the time at which a user's last socket disconnected.
pub struct Seen {
    /// The user who went offline.
    pub user: UserId,
    /// Time of the disconnect.
    pub at: Timestamp,
}

impl Command for Seen {
    type Output = ();

    fn apply(&self, tables: &mut Tables) -> Result<(), Failure> {
        let mut update = tables.db.prepare_cached("UPDATE users SET last_seen = ? WHERE id = ?")?;
        update.execute(params![self.at.as_millis(), self.user.as_str()])?;
        Ok(())
    }
}

/// Reads id, name and time last seen. `online` is false: the store does not know it. The id serves as the name if
/// none is stored.
pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<RoomUser> {
    let id = UserId::parse(row.get_ref(0)?.as_str()?).map_err(|text| invalid(0, text))?;
    let name: Option<String> = row.get(1)?;
    let last_seen = row.get::<_, Option<u64>>(2)?.map(Timestamp::from_millis);
    Ok(RoomUser { user: user(id, name.as_deref()), online: false, last_seen })
}

fn user(id: UserId, name: Option<&str>) -> User {
    if id.is_system() {
        return User::system();
    }
    let name = name.unwrap_or(id.as_str()).into();
    User { id, name }
}

pub(super) fn find(db: &Connection, id: &UserId) -> rusqlite::Result<Option<RoomUser>> {
    let mut find = db.prepare_cached("SELECT id, name, last_seen FROM users WHERE id = ?")?;
    find.query_row([id.as_str()], from_row).optional()
}

/// The user with the stored name, or with the id as name.
pub(super) fn named(db: &Connection, id: &UserId) -> rusqlite::Result<User> {
    Ok(find(db, id)?.map_or_else(|| user(id.clone(), None), |known| known.user))
}

/// Users in order of id, from the one after `after`.
pub(super) fn after(db: &Connection, after: Option<&UserId>, limit: usize) -> rusqlite::Result<Vec<RoomUser>> {
    let mut select = db.prepare_cached("SELECT id, name, last_seen FROM users WHERE id > ? ORDER BY id LIMIT ?")?;
    select.query_map(params![after.map_or("", UserId::as_str), limit], from_row)?.collect()
}
