//! The writer thread, and the publisher that runs the commit callbacks.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use tokio::{sync::mpsc, task};

use super::{
    files::Opened,
    inbox::{Inbox, Next},
    original::Lost,
    tables::Tables,
    wal::Wal,
};
use crate::{
    error::{Error, Result},
    metrics::Metrics,
    supervise::{Background, Ended},
    turn::Turn,
};

/// Most committed groups that wait for the publisher; beyond it the writer waits.
const PUBLISH_AHEAD: usize = 4;

/// How often the idle thread checks that the database files are still in place.
const LOOK: Duration = Duration::from_secs(1);

/// A write. It runs on the writer thread, in a transaction shared with other commands.
pub(crate) trait Command: Send + 'static {
    /// The result, valid once the transaction is committed.
    type Output: Send + 'static;

    /// Checks, then writes. A refusal must be returned before the first statement that writes, because it rolls
    /// nothing back.
    fn apply(&self, tables: &mut Tables) -> Result<Self::Output, Failure>;
}

/// Writes the schema version that is already there, to test whether the database accepts writes.
pub(crate) struct Probe;

impl Command for Probe {
    type Output = ();

    fn apply(&self, tables: &mut Tables) -> Result<(), Failure> {
        let version: i64 = tables.db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(tables.db.pragma_update(None, "user_version", version)?)
    }
}

/// Why a command failed.
pub(crate) enum Failure {
    /// The command is refused. The other commands of the group are committed.
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

/// A queued command with its callback.
pub(super) trait Task: Send {
    /// Runs the command; `Err` if the database failed.
    fn run(&mut self, tables: &mut Tables) -> rusqlite::Result<()>;
    /// Marks the command as failed: its group was rolled back or not started.
    fn fail(&mut self);
    /// Runs the callback, after the commit or the failure of the group.
    fn finish(self: Box<Self>);
}

struct Queued<C: Command, F> {
    command: C,
    result: Result<C::Output>,
    then: F,
}

impl<C: Command, F: FnOnce(Result<C::Output>) + Send> Task for Queued<C, F> {
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

    fn finish(self: Box<Self>) {
        (self.then)(self.result);
    }
}

/// The handle to the writer thread.
pub(super) struct Writer {
    inbox: Arc<Inbox>,
    /// Whether the last commit succeeded and the thread is alive.
    is_well: Arc<AtomicBool>,
    /// The publisher and the writer thread.
    running: Mutex<Vec<Ended>>,
}

impl Writer {
    pub(super) fn start(opened: Opened, metrics: &Metrics, background: &mut Background) -> Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let (committed, publish) = mpsc::channel(PUBLISH_AHEAD);
        let metrics = metrics.clone();
        let is_well = Arc::new(AtomicBool::new(true));
        let (waiting, health) = (inbox.clone(), is_well.clone());
        let thread = background
            .thread("store-writer", move || {
                let _end = End { inbox: &waiting, is_well: &health };
                write(opened, &waiting, &committed, &metrics, &health)
            })
            .map_err(|error| Error::internal("the writing thread cannot start", error))?;
        let publisher = background.spawn("publisher", publish_in_order(publish));
        Ok(Self { inbox, is_well, running: Mutex::new(vec![publisher, thread]) })
    }

    pub(super) fn queue<C: Command>(&self, command: C, then: impl FnOnce(Result<C::Output>) + Send + 'static) {
        let result = Err(Error::unavailable("the store is closing"));
        if let Err(refused) = self.inbox.push(Box::new(Queued { command, result, then })) {
            refused.finish();
        }
    }

    /// Whether the thread runs and its last commit succeeded.
    pub(super) fn is_well(&self) -> bool {
        self.is_well.load(Ordering::Relaxed)
    }

    /// Commits the queued writes, then waits until all callbacks have run.
    pub(super) async fn close(&self) {
        self.inbox.close();
        let running = std::mem::take(&mut *self.running.lock());
        for part in running {
            part.wait().await;
        }
    }
}

/// Ends the thread if [`Writer::close`] was not called.
impl Drop for Writer {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// Marks the writer as unhealthy and drops the queue when the thread ends, also by a panic.
struct End<'a> {
    inbox: &'a Inbox,
    is_well: &'a AtomicBool,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.is_well.store(false, Ordering::Relaxed);
        self.inbox.abandon();
    }
}

/// The writer thread: takes a group of tasks, commits it in one transaction, and sends it to the publisher.
fn write(
    opened: Opened,
    waiting: &Inbox,
    committed: &mpsc::Sender<Vec<Box<dyn Task>>>,
    metrics: &Metrics,
    is_well: &AtomicBool,
) -> Result<(), String> {
    let mut tables = Tables::new(&opened.db, metrics);
    let mut wal = Wal::new(&opened);
    let mut lost = None;
    while lost.is_none() {
        let mut group = match waiting.next_group(LOOK) {
            Next::Group(group) => group,
            Next::Nothing => {
                lost = check(&opened, |bytes| wal.rests(bytes)).err();
                continue;
            }
            Next::Closed => return Ok(()),
        };
        let start = Instant::now();
        // A commit into a file that was removed or replaced is lost and must not be acknowledged.
        let result = write_group(&mut tables, &mut group).and_then(|()| {
            check(&opened, |bytes| wal.grew(bytes)).map_err(|gone| {
                let error = anyhow::anyhow!("the store {gone}");
                lost = Some(gone);
                error
            })
        });
        let was_well = is_well.swap(result.is_ok(), Ordering::Relaxed);
        if let Err(error) = result {
            // Logged once, not per group: a full disk stays full for a while.
            if was_well {
                tracing::error!(%error, writes = group.len(), "a commit failed");
            }
            metrics.failed_commits.increment(1);
            tables.forget();
            if let Err(error) = opened.db.execute_batch("ROLLBACK") {
                tracing::debug!(%error, "nothing to roll back");
            }
            group.iter_mut().for_each(|task| task.fail());
        }
        metrics.commit_batch_size.record(group.len() as f64);
        metrics.commit_seconds.record(start.elapsed());
        if committed.blocking_send(group).is_err() {
            return Err("has no publisher for its commits".to_owned());
        }
    }
    lost.map_or(Ok(()), |lost| Err(give_up(&opened, &lost)))
}

/// Checks that the database files are still in place, and passes the size of the WAL to `wal`.
fn check(opened: &Opened, wal: impl FnOnce(u64)) -> Result<(), Lost> {
    match opened.original.check() {
        Ok(Ok(bytes)) => wal(bytes),
        Ok(Err(lost)) => return Err(lost),
        // Unknown, treated as in place. `/ready` checks as well and reports the error.
        Err(error) => tracing::debug!(%error, "the database files cannot be checked"),
    }
    Ok(())
}

/// Gives up a lost database without touching the file now at its path. Returns why the server must end.
fn give_up(opened: &Opened, lost: &Lost) -> String {
    if let Err(error) = opened.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::error!(%error, "SQLite may still write the WAL of the lost database into the new file at its path");
    }
    match opened.original.set_wal_aside() {
        Ok(None) => {}
        Ok(Some(aside)) => tracing::warn!(file = %aside.display(), "the WAL of the lost database was renamed"),
        Err(error) => tracing::error!(%error, "the WAL of the lost database stays beside the new file at its path"),
    }
    lost.to_string()
}

fn write_group(tables: &mut Tables, group: &mut [Box<dyn Task>]) -> anyhow::Result<()> {
    tables.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for task in group {
        catch_unwind(AssertUnwindSafe(|| task.run(tables))).map_err(|_| anyhow::anyhow!("a write panicked"))??;
    }
    tables.keep_newest()?;
    tables.db.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

/// The publisher task: runs the commit callbacks in commit order.
async fn publish_in_order(mut committed: mpsc::Receiver<Vec<Box<dyn Task>>>) -> Result<(), String> {
    while let Some(group) = committed.recv().await {
        // A broadcast to many members takes long, so the task yields between groups and, within a group, after a
        // number of deliveries. The whole group is one turn, so that each client gets it in one socket write.
        let mut turn = Turn::default();
        for task in group {
            turn.part(|| finish(task));
            if turn.is_long() {
                task::yield_now().await;
            }
        }
        drop(turn);
        task::yield_now().await;
    }
    Ok(())
}

fn finish(task: Box<dyn Task>) {
    if catch_unwind(AssertUnwindSafe(|| task.finish())).is_err() {
        tracing::error!("a commit callback panicked");
    }
}

#[cfg(test)]
mod tests;
