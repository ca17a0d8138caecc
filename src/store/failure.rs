//! The reasons for which a command was not carried out.

use crate::error::Error;

/// Why a command was not carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command is not allowed. The other commands of its group are still committed.
    Refused(Error),
    /// The database failed. The whole group is rolled back.
    Broken(anyhow::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}
