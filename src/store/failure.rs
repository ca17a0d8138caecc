//! Why a command of the writing thread did not happen.

use crate::error::Error;

/// Why a command did not happen.
pub(crate) enum Failure {
    /// The command is not allowed. The others of its group go on.
    Refused(Error),
    /// The database failed. The whole group is rolled back.
    Broken(rusqlite::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error)
    }
}
