//! Makes the words of messages that were saved before their fields were searched.

use crate::store::{
    command::{Command, Needs},
    failure::Failure,
    tables::Tables,
};

/// Indexes a slice of the messages that the search does not find yet.
pub struct IndexMessages {
    /// Maximum number of messages.
    pub limit: usize,
}

impl Command for IndexMessages {
    /// Whether messages are left that are not indexed.
    type Output = bool;

    fn needs(&self, needs: &mut Needs) {
        needs.unindexed = needs.unindexed.max(self.limit);
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<bool, Failure> {
        Ok(tables.index_older(self.limit)?)
    }
}
