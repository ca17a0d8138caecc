//! The names of users.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    messages::invalid,
    tables::Tables,
    writer::{Command, Failure},
};
use crate::{
    model::{Timestamp, User, UserId},
    protocol::RoomUser,
};

/// Keeps a user's name, for those who list them while they are away.
pub struct Known(pub User);

impl Command for Known {
    type Output = ();

    fn apply(&self, tables: &mut Tables) -> Result<(), Failure> {
        Ok(tables.know(&self.0)?)
    }
}

/// Keeps when a user's last socket went.
pub struct Seen {
    /// Who.
    pub user: UserId,
    /// When.
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

/// Reads id, name and when the last socket went; nobody is online as far as the store knows. Somebody who was never
/// here has their id for a name.
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

/// The user with the name that is known.
pub(super) fn named(db: &Connection, id: &UserId) -> rusqlite::Result<User> {
    Ok(find(db, id)?.map_or_else(|| user(id.clone(), None), |known| known.user))
}

/// Users after this one, by their ids.
pub(super) fn after(db: &Connection, after: Option<&UserId>, limit: usize) -> rusqlite::Result<Vec<RoomUser>> {
    let mut select = db.prepare_cached("SELECT id, name, last_seen FROM users WHERE id > ? ORDER BY id LIMIT ?")?;
    select.query_map(params![after.map_or("", UserId::as_str), limit], from_row)?.collect()
}
