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

use super::{file_identity::Original, files};
use crate::{
    config::StoreConfig,
    error::{Error, Result},
    metrics::Metrics,
    supervise::{Background, Ended},
};

/// Most queued reads; one more gets `unavailable`.
const QUEUE: usize = 16_384;
/// Reads per thread that may be in progress, or done with the result not yet received: a result can be a megabyte.
const AHEAD: usize = 4;

/// How long the server reports "not ready" after a failed read.
const FAILURE: Duration = Duration::from_secs(10);

const FAILED: &str = "the store cannot be read";

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Threads, each with a read-only connection.
pub(super) struct Readers {
    /// Reads in progress or waiting for a permit of `places`.
    waiting: AtomicUsize,
    places: Semaphore,
    queue: Mutex<Option<Sender<Read>>>,
    threads: Mutex<Vec<Ended>>,
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
        original: &Arc<Original>,
        metrics: &Metrics,
        background: &Background,
    ) -> Result<Self> {
        let ahead = config.readers * AHEAD;
        let (queue, waiting) = bounded(QUEUE);
        let mut threads = Vec::new();
        for number in 1..=config.readers {
            let db = files::open_reader(&config.path).map_err(|error| Error::internal(FAILED, error))?;
            let (waiting, original) = (waiting.clone(), original.clone());
            let thread = background.thread(&format!("store-reader-{number}"), move || {
                // Dropped after the connection: see `Original::file`.
                let _original = original;
                let db = db;
                run(&db, &waiting);
                Ok(())
            });
            threads.push(thread.map_err(|error| Error::internal(FAILED, error))?);
        }
        let failures = Failures { metrics: metrics.clone(), start: Instant::now(), last: AtomicU64::new(0) };
        Ok(Self {
            waiting: AtomicUsize::new(0),
            places: Semaphore::new(ahead),
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
        let _waiting = Waits::new(&self.waiting).ok_or_else(busy)?;
        let _place = self.places.acquire().await.map_err(|_| closing())?;
        let (reply, answer) = oneshot::channel();
        let failures = self.failures.clone();
        let read: Read = Box::new(move |db| {
            let result = of_one_moment(db, query).map_err(|error| {
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

    /// Whether a read failed within the last [`FAILURE`].
    pub(super) fn have_failed(&self) -> bool {
        let last = self.failures.last.load(Ordering::Relaxed);
        last != 0 && self.failures.start.elapsed() < Duration::from_millis(last) + FAILURE
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

/// Counts a read until its result is received or the request is cancelled.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    /// `None` if too many reads wait.
    fn new(count: &'a AtomicUsize) -> Option<Self> {
        let waits = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < QUEUE).then_some(waits)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Failures {
    fn count(&self) {
        self.metrics.failed_reads.increment(1);
        self.last.store(self.start.elapsed().as_millis() as u64 + 1, Ordering::Relaxed);
    }
}

fn of_one_moment<T>(db: &Connection, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let moment = db.unchecked_transaction()?;
    let found = query(&moment)?;
    moment.commit()?;
    Ok(found)
}

fn run(db: &Connection, waiting: &Receiver<Read>) {
    for read in waiting {
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
