//! The one thread that writes.

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
    log::Log,
    original::Lost,
    tables::Tables,
};
use crate::{
    error::{Error, Result},
    metrics::Metrics,
    supervise::{Background, Ended},
    turn::Turn,
};

/// Committed groups whose broadcasts may wait; then the writer waits too.
const PUBLISH_AHEAD: usize = 4;

/// How often the thread looks whether its files are still there while there is nothing to write.
const LOOK: Duration = Duration::from_secs(1);

/// A write. It runs on the writer's thread within a transaction that it shares with others.
pub(crate) trait Command: Send + 'static {
    /// What a commit of it means.
    type Output: Send + 'static;

    /// Checks, then writes. A refusal must come before the first write of the command, for it undoes none.
    fn apply(&self, tables: &mut Tables) -> Result<Self::Output, Failure>;
}

/// Writes what is there already: whether something can be written is the question.
pub(crate) struct Probe;

impl Command for Probe {
    type Output = ();

    fn apply(&self, tables: &mut Tables) -> Result<(), Failure> {
        let version: i64 = tables.db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(tables.db.pragma_update(None, "user_version", version)?)
    }
}

/// Why a command did not happen.
pub(crate) enum Failure {
    /// It must not. The others of its group go on.
    Refused(Error),
    /// The database failed. Its whole group is rolled back.
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

/// A command on its way, with what follows it.
pub(super) trait Task: Send {
    /// Runs the command; `Err` when the database failed.
    fn run(&mut self, tables: &mut Tables) -> rusqlite::Result<()>;
    /// The group was rolled back, or never begun.
    fn fail(&mut self);
    /// The group is committed, or has failed: what follows runs now.
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

/// The way to the writing thread.
pub(super) struct Writer {
    inbox: Arc<Inbox>,
    /// Whether the last commit succeeded.
    is_well: Arc<AtomicBool>,
    /// The publisher and the thread.
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

    /// Lets the thread write what is queued, then waits until all of it has been published.
    pub(super) async fn close(&self) {
        self.inbox.close();
        let running = std::mem::take(&mut *self.running.lock());
        for part in running {
            part.wait().await;
        }
    }
}

/// The thread ends with it, where it was not closed.
impl Drop for Writer {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// The thread ends, also where it panics.
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

/// The thread: takes what is waiting, writes it in one transaction, hands it on.
fn write(
    opened: Opened,
    waiting: &Inbox,
    committed: &mpsc::Sender<Vec<Box<dyn Task>>>,
    metrics: &Metrics,
    is_well: &AtomicBool,
) -> Result<(), String> {
    let mut tables = Tables::new(&opened.db, metrics);
    let mut log = Log::new(&opened);
    let mut lost = None;
    while lost.is_none() {
        let mut group = match waiting.next_group(LOOK) {
            Next::Group(group) => group,
            Next::Nothing => {
                lost = check(&opened, |bytes| log.rests(bytes)).err();
                continue;
            }
            Next::Closed => return Ok(()),
        };
        let start = Instant::now();
        // What was written into a file that is gone must not be acknowledged.
        let result = write_group(&mut tables, &mut group).and_then(|()| {
            check(&opened, |bytes| log.grew(bytes)).map_err(|gone| {
                let error = anyhow::anyhow!("the store {gone}");
                lost = Some(gone);
                error
            })
        });
        let was_well = is_well.swap(result.is_ok(), Ordering::Relaxed);
        if let Err(error) = result {
            // Once, not once a group: a full disk stays full for a while.
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
            return Err("has nobody to publish what it commits".to_owned());
        }
    }
    lost.map_or(Ok(()), |lost| Err(give_up(&opened, &lost)))
}

/// Looks whether the files are still there, and what the log has become.
fn check(opened: &Opened, log: impl FnOnce(u64)) -> Result<(), Lost> {
    match opened.original.check() {
        Ok(Ok(bytes)) => log(bytes),
        Ok(Err(lost)) => return Err(lost),
        // They are there, for all we know. `/ready` looks as well, and says so.
        Err(error) => tracing::debug!(%error, "the database's file cannot be looked at"),
    }
    Ok(())
}

/// Leaves what stands at the path alone. Returns why the server has to end.
fn give_up(opened: &Opened, lost: &Lost) -> String {
    if let Err(error) = opened.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::error!(%error, "SQLite may still write the lost database's log into the file that is there now");
    }
    match opened.original.set_log_aside() {
        Ok(None) => {}
        Ok(Some(aside)) => tracing::warn!(file = %aside.display(), "the log of the lost database was set aside"),
        Err(error) => tracing::error!(%error, "the log of the lost database stays beside the file that is there now"),
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

/// The task: what follows each write, in commit order.
async fn publish_in_order(mut committed: mpsc::Receiver<Vec<Box<dyn Task>>>) -> Result<(), String> {
    while let Some(group) = committed.recv().await {
        // A fan-out is long: connections have the thread between groups, and after so many deliveries within one. It
        // stays one turn, so that what was saved together is told together.
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
        tracing::error!("what follows a commit panicked");
    }
}

#[cfg(test)]
mod tests;
