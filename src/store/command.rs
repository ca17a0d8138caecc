//! Commands: writes, each with a callback that runs after the commit.

use super::{failure::Failure, tables::Tables};
use crate::{
    error::{Error, Result},
    model::{MessageId, Room, UserId},
    tellings::Tellings,
};

/// A write. It runs in a transaction that it shares with other commands, and again if that transaction is repeated.
pub(crate) trait Command: Send + 'static {
    /// What the callback receives after the commit.
    type Output: Send + 'static;

    /// Names what the command reads. An engine may load it before the command runs.
    fn needs(&self, needs: &mut Needs);

    /// Checks, then writes. A command must refuse before its first write: a refusal does not roll back, since the other
    /// commands of the group are committed.
    fn apply(&self, tables: &mut dyn Tables) -> Result<Self::Output, Failure>;
}

/// What the commands of a group read. An engine that loads it at once needs no query per command.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Rooms whose state is read or changed.
    pub(super) rooms: Vec<Room>,
    /// Memberships with their read marks.
    pub(super) members: Vec<(UserId, Room)>,
    /// Users whose memberships are counted.
    pub(super) counts: Vec<UserId>,
    /// Idempotency keys, with the messages that they were used for.
    pub(super) keys: Vec<(UserId, String)>,
    /// Messages, with their rooms.
    pub(super) messages: Vec<MessageId>,
    /// Rooms whose oldest messages are looked at, and how many of them.
    pub(super) oldest: Vec<(Room, usize)>,
    /// How many messages that are not indexed for the search.
    pub(super) unindexed: usize,
    /// Targets, and how much of what is owed to them.
    pub(super) owed: Vec<(String, usize)>,
}

/// Tests whether the database can be written to.
pub(crate) struct Probe;

impl Command for Probe {
    type Output = ();

    fn needs(&self, _: &mut Needs) {}

    fn apply(&self, tables: &mut dyn Tables) -> Result<(), Failure> {
        Ok(tables.probe()?)
    }
}

/// A queued command with its callback, as a trait object.
pub(super) trait Task: Send {
    /// See [`Command::needs`].
    fn needs(&self, needs: &mut Needs);
    /// Runs the command. `Err` if the database failed.
    fn run(&mut self, tables: &mut dyn Tables) -> anyhow::Result<()>;
    /// Sets the result to a failure, because the group was not committed, or perhaps not.
    fn fail(&mut self, reason: &'static str);
    /// Runs the callback, after the commit or the failure.
    fn finish(self: Box<Self>, tellings: &mut Tellings);
}

struct QueuedCommand<C: Command, F> {
    command: C,
    result: Result<C::Output>,
    then: F,
}

/// Wraps a command and its callback as a task. If the task never runs, the callback receives `unavailable`.
pub(super) fn task<C: Command>(
    command: C,
    then: impl FnOnce(Result<C::Output>, &mut Tellings) + Send + 'static,
) -> Box<dyn Task> {
    Box::new(QueuedCommand { command, result: Err(Error::unavailable("the store is closing")), then })
}

impl<C: Command, F: FnOnce(Result<C::Output>, &mut Tellings) + Send> Task for QueuedCommand<C, F> {
    fn needs(&self, needs: &mut Needs) {
        self.command.needs(needs);
    }

    fn run(&mut self, tables: &mut dyn Tables) -> anyhow::Result<()> {
        self.result = match self.command.apply(tables) {
            Ok(output) => Ok(output),
            Err(Failure::Refused(error)) => Err(error),
            Err(Failure::Broken(error)) => return Err(error),
        };
        Ok(())
    }

    fn fail(&mut self, reason: &'static str) {
        self.result = Err(Error::unavailable(reason));
    }

    fn finish(self: Box<Self>, tellings: &mut Tellings) {
        (self.then)(self.result, tellings);
    }
}
