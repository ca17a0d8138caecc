//! The writing thread, which commits commands in groups, and the publisher, which runs their followers in commit order.

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
    command::{Command, Task, task},
    file_identity::Lost,
    files::Opened,
    inbox::{Inbox, Next},
    tables::Tables,
    wal::Wal,
};
use crate::{
    error::{Error, Result},
    metrics::Metrics,
    supervise::{Background, Ended},
    tellings::Tellings,
};

/// Committed groups that may wait for the publisher. When there are more, the writing thread waits.
const PUBLISH_AHEAD: usize = 4;

/// How often the writing thread checks that its files still exist, while there is nothing to write.
const LOOK: Duration = Duration::from_secs(1);

/// Hands commands to the writing thread.
pub(super) struct Writer {
    inbox: Arc<Inbox>,
    /// Whether the last commit succeeded.
    is_well: Arc<AtomicBool>,
    /// The publisher and the writing thread.
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

    /// Queues a command. Where the inbox refuses it, `then` runs at once.
    pub(super) fn queue<C: Command>(
        &self,
        command: C,
        then: impl FnOnce(Result<C::Output>, &mut Tellings) + Send + 'static,
    ) {
        if let Err(refused) = self.inbox.push(task(command, then)) {
            refused.finish(&mut Tellings::default());
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

/// Ends the writing thread, where [`Writer::close`] was not called.
impl Drop for Writer {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// Marks the end of the writing thread when it is dropped, also by a panic.
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

/// The writing thread: takes the waiting commands, writes them in one transaction, hands them to the publisher.
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
        // A write into a file that was removed must not be acknowledged.
        let result = write_group(&mut tables, &mut group).and_then(|()| {
            check(&opened, |bytes| wal.grew(bytes)).map_err(|gone| {
                let error = anyhow::anyhow!("the store {gone}");
                lost = Some(gone);
                error
            })
        });
        let was_well = is_well.swap(result.is_ok(), Ordering::Relaxed);
        if let Err(error) = result {
            // Logged for the first failed group only: a full disk stays full for a while.
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
            return Err("has no publisher for what it commits".to_owned());
        }
    }
    lost.map_or(Ok(()), |lost| Err(give_up(&opened, &lost)))
}

/// Checks that the files still exist, and reports the size of the write-ahead log.
fn check(opened: &Opened, wal: impl FnOnce(u64)) -> Result<(), Lost> {
    match opened.original.check() {
        Ok(Ok(bytes)) => wal(bytes),
        Ok(Err(lost)) => return Err(lost),
        // Nothing shows that the files are gone. `/ready` checks them too, and says that it cannot.
        Err(error) => tracing::debug!(%error, "the database's file cannot be looked at"),
    }
    Ok(())
}

/// Closes the lost database without touching the file that is at its path now. Returns why the server has to end.
fn give_up(opened: &Opened, lost: &Lost) -> String {
    if let Err(error) = opened.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::error!(%error, "SQLite may still write the lost database's log into the file that is there now");
    }
    match opened.original.set_wal_aside() {
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

/// The publisher's task: runs the follower of each command, in commit order.
async fn publish_in_order(mut committed: mpsc::Receiver<Vec<Box<dyn Task>>>) -> Result<(), String> {
    while let Some(group) = committed.recv().await {
        let mut tellings = Tellings::default();
        for task in group {
            finish(task, &mut tellings);
            // A fan-out is long. Connections get the thread after so many deliveries, and between commits.
            if tellings.is_pause_due() {
                task::yield_now().await;
            }
        }
        drop(tellings);
        task::yield_now().await;
    }
    Ok(())
}

fn finish(task: Box<dyn Task>, tellings: &mut Tellings) {
    if catch_unwind(AssertUnwindSafe(|| task.finish(tellings))).is_err() {
        tracing::error!("what follows a commit panicked");
    }
}

#[cfg(test)]
mod tests;
