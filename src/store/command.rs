//! Commands: writes on the writing thread, and what follows the commit of each.

use super::{failure::Failure, tables::Tables};
use crate::{
    error::{Error, Result},
    tellings::Tellings,
};

/// A write. It runs on the writing thread, in a transaction that it shares with other commands.
pub(crate) trait Command: Send + 'static {
    /// What the command gives when it is committed.
    type Output: Send + 'static;

    /// Checks, then writes. A refusal must come before the first write of the command: the others of the group are
    /// committed, so nothing of it would be undone.
    fn apply(&self, tables: &mut Tables) -> Result<Self::Output, Failure>;
}

/// Changes nothing: finds out whether the database can be written to.
pub(crate) struct Probe;

impl Command for Probe {
    type Output = ();

    fn apply(&self, tables: &mut Tables) -> Result<(), Failure> {
        let version: i64 = tables.db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(tables.db.pragma_update(None, "user_version", version)?)
    }
}

/// A queued command with its follower, whatever their types.
pub(super) trait Task: Send {
    /// Runs the command. `Err` where the database failed.
    fn run(&mut self, tables: &mut Tables) -> rusqlite::Result<()>;
    /// The group was rolled back, or never begun: the command has failed.
    fn fail(&mut self);
    /// Runs the follower, after the commit or the failure.
    fn finish(self: Box<Self>, tellings: &mut Tellings);
}

struct Queued<C: Command, F> {
    command: C,
    result: Result<C::Output>,
    then: F,
}

/// Makes a task of a command and its follower. A task that is finished without having run is `unavailable`.
pub(super) fn task<C: Command>(
    command: C,
    then: impl FnOnce(Result<C::Output>, &mut Tellings) + Send + 'static,
) -> Box<dyn Task> {
    Box::new(Queued { command, result: Err(Error::unavailable("the store is closing")), then })
}

impl<C: Command, F: FnOnce(Result<C::Output>, &mut Tellings) + Send> Task for Queued<C, F> {
    fn run(&mut self, tables: &mut Tables) -> rusqlite::Result<()> {
        self.result = match self.command.apply(tables) {
            Ok(output) => Ok(output),
            Err(Failure::Refused(error)) => Err(error),
            Err(Failure::Broken(error)) => return Err(error),
        };
        Ok(())
    }

    fn fail(&mut self) {
        self.result = Err(Error::unavailable("the store failed; nothing was saved"));
    }

    fn finish(self: Box<Self>, tellings: &mut Tellings) {
        (self.then)(self.result, tellings);
    }
}
