//! The writing thread, which commits commands in groups, and the publisher, which runs their callbacks in commit order.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{sync::mpsc, task};

use super::{
    command::{Command, Needs, Task, task},
    inbox::{Inbox, NextGroup},
    tables::Tables,
};
use crate::{
    error::{Error, Result},
    metrics::Metrics,
    supervise::{Background, Completion},
    tellings::Tellings,
};

/// Maximum number of committed groups that wait for the publisher. At the maximum the writing thread waits.
const PUBLISH_AHEAD: usize = 4;

/// Hands commands to the writing thread.
pub(super) struct Writer {
    inbox: Arc<Inbox>,
    /// Whether the last commit succeeded.
    is_healthy: Arc<AtomicBool>,
    /// The publisher and the writing thread.
    running: Mutex<Vec<Completion>>,
}

impl Writer {
    /// Starts the publisher, and a thread that runs `write`: it takes groups and writes them, until the writer is closed
    /// or the engine can write no more. Then it returns why.
    pub(super) fn start(
        metrics: &Metrics,
        background: &mut Background,
        write: impl FnOnce(&WritingThread) -> Result<(), String> + Send + 'static,
    ) -> Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let (committed, publish) = mpsc::channel(PUBLISH_AHEAD);
        let is_healthy = Arc::new(AtomicBool::new(true));
        let thread =
            WritingThread { inbox: inbox.clone(), committed, is_healthy: is_healthy.clone(), metrics: metrics.clone() };
        let thread = background
            .thread("store-writer", move || write(&thread))
            .map_err(|error| Error::internal("the writing thread cannot start", error))?;
        let publisher = background.spawn("publisher", publish_in_order(publish));
        Ok(Self { inbox, is_healthy, running: Mutex::new(vec![publisher, thread]) })
    }

    /// Queues a command. If the inbox refuses it, `then` runs at once.
    pub(super) fn queue<C: Command>(
        &self,
        command: C,
        then: impl FnOnce(Result<C::Output>, &mut Tellings) + Send + 'static,
    ) {
        if let Err(refused) = self.inbox.push(task(command, then)) {
            refused.finish(&mut Tellings::default());
        }
    }

    /// The queue, for a task of the store's own.
    pub(super) fn inbox(&self) -> Arc<Inbox> {
        self.inbox.clone()
    }

    /// Queues a command without a callback. A failure is logged.
    pub(super) fn try_to_write<C: Command>(&self, command: C) {
        self.queue(command, |result, _| {
            if let Err(error) = result {
                tracing::warn!(%error, "a write failed");
            }
        });
    }

    /// Whether the thread runs and its last commit succeeded.
    pub(super) fn is_healthy(&self) -> bool {
        self.is_healthy.load(Ordering::Relaxed)
    }

    /// Waits until the queued commands are written and their callbacks have run.
    pub(super) async fn close(&self) {
        self.inbox.close();
        let running = std::mem::take(&mut *self.running.lock());
        for part in running {
            part.wait().await;
        }
    }
}

/// Ends the writing thread if [`Writer::close`] was not called.
impl Drop for Writer {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// A group of commands that share a transaction.
pub(super) type Group = Vec<Box<dyn Task>>;

/// Why a group was not committed.
pub(super) struct FailedCommit {
    /// For the log.
    error: anyhow::Error,
    /// For the clients.
    reason: &'static str,
}

impl FailedCommit {
    /// A failure whose group was perhaps committed all the same.
    pub(super) fn unknown(error: anyhow::Error) -> Self {
        Self { error, reason: "the store failed; this may have been saved" }
    }
}

impl From<anyhow::Error> for FailedCommit {
    fn from(error: anyhow::Error) -> Self {
        Self { error, reason: "the store failed; nothing was saved" }
    }
}

/// Why a group was not written.
pub(super) enum WriteFailure {
    /// A command panicked, or the database refused what the commands wrote. Nothing was saved. Others of the group may
    /// succeed without it.
    Refused(anyhow::Error),
    /// The database failed.
    Failed(FailedCommit),
}

impl From<WriteFailure> for FailedCommit {
    fn from(failure: WriteFailure) -> Self {
        match failure {
            WriteFailure::Refused(error) => error.into(),
            WriteFailure::Failed(failed) => failed,
        }
    }
}

/// A command of a group panicked.
#[derive(Debug, thiserror::Error)]
#[error("a write panicked")]
pub(super) struct CommandPanicked;

/// What an engine's writing thread uses. Dropped at the end of the thread, also after a panic: then the writer is marked
/// as failed, and the inbox is closed.
pub(super) struct WritingThread {
    inbox: Arc<Inbox>,
    committed: mpsc::Sender<Group>,
    is_healthy: Arc<AtomicBool>,
    metrics: Metrics,
}

impl WritingThread {
    /// Waits for the next group, for at most `timeout`.
    pub(super) fn next_group(&self, timeout: Duration) -> NextGroup {
        self.inbox.next_group(timeout)
    }

    /// Writes a group and hands it to the publisher. If the group is refused, each of its commands is written alone.
    /// Returns an error if there is no publisher any more.
    pub(super) fn write(
        &self,
        mut group: Group,
        mut write: impl FnMut(&mut Group) -> Result<(), WriteFailure>,
    ) -> Result<(), String> {
        let start = Instant::now();
        let result = write(&mut group);
        if !matches!(result, Err(WriteFailure::Refused(_))) || group.len() == 1 {
            return self.publish(group, start, result.map_err(Into::into));
        }
        for task in group {
            let mut alone = vec![task];
            let result = write(&mut alone);
            self.publish(alone, start, result.map_err(Into::into))?;
        }
        Ok(())
    }

    /// Hands a group to the publisher, after its commit or its failure. `start` is when the engine took it.
    fn publish(&self, mut group: Group, start: Instant, result: Result<(), FailedCommit>) -> Result<(), String> {
        let was_healthy = self.is_healthy.swap(result.is_ok(), Ordering::Relaxed);
        if let Err(FailedCommit { error, reason }) = result {
            // Of consecutive failures only the first is logged, because a full disk may stay full for long.
            if was_healthy {
                tracing::error!(error = format_args!("{error:#}"), writes = group.len(), "a commit failed");
            }
            self.metrics.failed_commits.increment(1);
            group.iter_mut().for_each(|task| task.fail(reason));
        }
        self.metrics.commit_batch_size.record(group.len() as f64);
        self.metrics.commit_seconds.record(start.elapsed());
        self.committed
            .blocking_send(group)
            .map_err(|_| "cannot publish its commits: the publisher has ended".to_owned())
    }
}

impl Drop for WritingThread {
    fn drop(&mut self) {
        self.is_healthy.store(false, Ordering::Relaxed);
        self.inbox.abandon();
    }
}

/// Runs the commands of a group, in their order. `Err` if the database failed, or a [`CommandPanicked`].
pub(super) fn run(group: &mut [Box<dyn Task>], tables: &mut dyn Tables) -> anyhow::Result<()> {
    for task in group {
        catch_unwind(AssertUnwindSafe(|| task.run(tables))).map_err(|_| CommandPanicked)??;
    }
    Ok(())
}

/// What the commands of a group read.
pub(super) fn needs(group: &[Box<dyn Task>]) -> Needs {
    let mut needs = Needs::default();
    group.iter().for_each(|task| task.needs(&mut needs));
    needs
}

/// The publisher's task: runs the callback of each command, in commit order.
async fn publish_in_order(mut committed: mpsc::Receiver<Group>) -> Result<(), String> {
    while let Some(group) = committed.recv().await {
        let mut tellings = Tellings::default();
        for task in group {
            finish(task, &mut tellings);
            // A fan-out can take long. The task yields to the connections after some deliveries, and between commits.
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
        tracing::error!("the callback of a commit panicked");
    }
}

#[cfg(test)]
mod tests;
