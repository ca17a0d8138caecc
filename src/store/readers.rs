//! The threads that read.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::files;
use crate::{
    config::StoreConfig,
    error::{Error, Result},
};

/// Reads that may wait; one more is `unavailable`.
const QUEUE: usize = 16_384;
/// Reads for each thread that are under way or whose results nobody has taken yet: a page may have a megabyte.
const AHEAD: usize = 4;

const FAILED: &str = "the store cannot be read";

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Threads with a connection each.
pub(super) struct Readers {
    /// Reads that wait for a place.
    waiting: AtomicUsize,
    places: Semaphore,
    queue: Mutex<Option<Sender<Read>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    pub(super) fn start(config: &StoreConfig) -> Result<Self> {
        let ahead = config.readers * AHEAD;
        let (queue, waiting) = bounded(QUEUE);
        let mut threads = Vec::new();
        for number in 1..=config.readers {
            let db = files::open_reader(&config.path).map_err(|error| Error::internal(FAILED, error))?;
            let waiting = waiting.clone();
            let thread = thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || run(&db, &waiting))
                .map_err(|error| Error::internal(FAILED, error))?;
            threads.push(thread);
        }
        Ok(Self {
            waiting: AtomicUsize::new(0),
            places: Semaphore::new(ahead),
            queue: Mutex::new(Some(queue)),
            threads: Mutex::new(threads),
        })
    }

    /// Runs a query on one of the threads. All that it reads is of one moment, for which the database is locked once.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T> {
        let _waiting = Waits::new(&self.waiting).ok_or_else(busy)?;
        let _place = self.places.acquire().await.map_err(|_| closing())?;
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |db| {
            let result = of_one_moment(db, query).map_err(|error| Error::internal("the store failed", error));
            // Whoever asked may be gone.
            drop(reply.send(result));
        });
        {
            let queue = self.queue.lock();
            let queue = queue.as_ref().ok_or_else(closing)?;
            queue.try_send(read).map_err(|_| busy())?;
        }
        answer.await.map_err(|_| closing())?
    }

    /// Answers what is queued, and closes.
    pub(super) fn close(&self) {
        drop(self.queue.lock().take());
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reading thread panicked");
            }
        }
    }
}

fn busy() -> Error {
    Error::unavailable("the store is busy")
}

fn closing() -> Error {
    Error::unavailable("the store is closing")
}

/// A read that is counted until its result is taken, or nobody waits for it any more.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    /// `None` where too many wait.
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

fn of_one_moment<T>(db: &Connection, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let moment = db.unchecked_transaction()?;
    let found = query(&moment)?;
    moment.commit()?;
    Ok(found)
}

fn run(db: &Connection, waiting: &Receiver<Read>) {
    for read in waiting {
        read(db);
    }
}
