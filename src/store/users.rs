use rusqlite::params;

use super::{
    tables::Tables,
    writer::{Command, Failure},
};
use crate::model::{Timestamp, User, UserId};

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
