//! The pool of reader threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::{file_identity::OriginalFile, files};
use crate::{
    config::StoreConfig,
    error::{Error, Result},
    metrics::Metrics,
    store::reads::{QueuedRead, READS_MAX},
    supervise::{Background, Completion},
};

/// Maximum number of reads per thread whose result was not received yet. A result can have a megabyte.
const AHEAD: usize = 4;

/// How long the server reports "not ready" after a failed read.
const FAILURE_WINDOW: Duration = Duration::from_secs(10);

const FAILED: &str = "the store cannot be read";

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Threads, each with a read-only connection.
pub(super) struct Readers {
    /// Number of reads whose result was not received yet. Most of them wait for a permit.
    unfinished: AtomicUsize,
    permits: Semaphore,
    queue: Mutex<Option<Sender<Read>>>,
    threads: Mutex<Vec<Completion>>,
    failures: Arc<Failures>,
}

/// Counts failed reads.
struct Failures {
    metrics: Metrics,
    start: Instant,
    /// Time of the last failure in milliseconds since `start`, plus one; 0 if there was none.
    last: AtomicU64,
}

impl Readers {
    pub(super) fn start(
        config: &StoreConfig,
        original: &Arc<OriginalFile>,
        metrics: &Metrics,
        background: &Background,
    ) -> Result<Self> {
        let ahead = config.readers * AHEAD;
        let (queue, reads) = bounded(READS_MAX);
        let mut threads = Vec::new();
        for number in 1..=config.readers {
            let db = files::open_reader(&config.path).map_err(|error| Error::internal(FAILED, error))?;
            let (reads, original) = (reads.clone(), original.clone());
            let thread = background.thread(&format!("store-reader-{number}"), move || {
                // Dropped after the connection: see `OriginalFile::file`.
                let _original = original;
                let db = db;
                run(&db, &reads);
                Ok(())
            });
            threads.push(thread.map_err(|error| Error::internal(FAILED, error))?);
        }
        let failures = Failures { metrics: metrics.clone(), start: Instant::now(), last: AtomicU64::new(0) };
        Ok(Self {
            unfinished: AtomicUsize::new(0),
            permits: Semaphore::new(ahead),
            queue: Mutex::new(Some(queue)),
            threads: Mutex::new(threads),
            failures: Arc::new(failures),
        })
    }

    /// Runs a query on one of the threads, in one read transaction: it sees one snapshot and locks the database once.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T> {
        let _queued = QueuedRead::new(&self.unfinished).ok_or_else(busy)?;
        let _permit = self.permits.acquire().await.map_err(|_| closing())?;
        let (reply, answer) = oneshot::channel();
        let failures = self.failures.clone();
        let read: Read = Box::new(move |db| {
            let result = in_one_snapshot(db, query).map_err(|error| {
                failures.count();
                Error::internal("the store failed", error)
            });
            // The receiver may be gone: the request may have been cancelled.
            drop(reply.send(result));
        });
        {
            let queue = self.queue.lock();
            let queue = queue.as_ref().ok_or_else(closing)?;
            queue.try_send(read).map_err(|_| busy())?;
        }
        answer.await.map_err(|_| closing())?
    }

    /// Whether a read failed within the last [`FAILURE_WINDOW`].
    pub(super) fn have_failed(&self) -> bool {
        let last = self.failures.last.load(Ordering::Relaxed);
        last != 0 && self.failures.start.elapsed() < Duration::from_millis(last) + FAILURE_WINDOW
    }

    /// Runs the queued reads, then ends the threads.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().take());
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            thread.wait().await;
        }
    }
}

fn busy() -> Error {
    Error::unavailable("the store is busy")
}

fn closing() -> Error {
    Error::unavailable("the store is closing")
}

impl Failures {
    fn count(&self) {
        self.metrics.failed_reads.increment(1);
        self.last.store(self.start.elapsed().as_millis() as u64 + 1, Ordering::Relaxed);
    }
}

fn in_one_snapshot<T>(db: &Connection, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let snapshot = db.unchecked_transaction()?;
    let found = query(&snapshot)?;
    snapshot.commit()?;
    Ok(found)
}

fn run(db: &Connection, reads: &Receiver<Read>) {
    for read in reads {
        // The request gets an error, because the panic drops its reply channel.
        if catch_unwind(AssertUnwindSafe(|| read(db))).is_err() {
            tracing::error!("a read panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panicking_read_fails_and_the_thread_keeps_serving() {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig { path: folder.path().to_owned(), readers: 1, ..StoreConfig::default() };
        let opened = files::open(&config).unwrap();
        let background = Background::default();
        let readers = Readers::start(&config, &opened.original, &Metrics::off(), &background).unwrap();
        let panicked = readers.read(|_| -> rusqlite::Result<()> { panic!("as a bug would") }).await;
        assert!(matches!(panicked, Err(Error::Unavailable(..))));
        assert_eq!(readers.read(|_| Ok(7)).await.unwrap(), 7);
        assert_eq!(background.supervisor().failure(), None);
        readers.close().await;
    }
}
