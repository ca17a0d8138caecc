//! Commands that store what is known of users: name and time last seen.

use crate::{
    model::{Timestamp, User, UserId},
    store::{
        command::{Command, Needs},
        failure::Failure,
        tables::Tables,
    },
};

/// Stores a user's name, which user lists show while the user is offline.
pub struct SaveUserName(pub User);

impl Command for SaveUserName {
    type Output = ();

    fn needs(&self, _: &mut Needs) {}

    fn apply(&self, tables: &mut dyn Tables) -> Result<(), Failure> {
        Ok(tables.save_name(&self.0)?)
    }
}

/// Stores the time at which a user's last socket disconnected.
pub struct SaveLastSeen {
    /// The user who went offline.
    pub user: UserId,
    /// Time of the disconnect.
    pub at: Timestamp,
}

impl Command for SaveLastSeen {
    type Output = ();

    fn needs(&self, _: &mut Needs) {}

    fn apply(&self, tables: &mut dyn Tables) -> Result<(), Failure> {
        Ok(tables.save_last_seen(&self.user, self.at)?)
    }
}
