//! The threads that read.

use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::files;
use crate::{
    config::StoreConfig,
    error::{Error, Result},
};

/// Reads that may wait; one more is `unavailable`.
const QUEUE: usize = 16_384;

const FAILED: &str = "the store cannot be read";

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Threads with a connection each.
pub(super) struct Readers {
    queue: Mutex<Option<Sender<Read>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    pub(super) fn start(config: &StoreConfig) -> Result<Self> {
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
        Ok(Self { queue: Mutex::new(Some(queue)), threads: Mutex::new(threads) })
    }

    /// Runs a query on one of the threads. All that it reads is of one moment, for which the database is locked once.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |db| {
            let result = of_one_moment(db, query).map_err(|error| Error::internal("the store failed", error));
            // Whoever asked may be gone.
            drop(reply.send(result));
        });
        {
            let queue = self.queue.lock();
            let queue = queue.as_ref().ok_or_else(|| Error::unavailable("the store is closing"))?;
            queue.try_send(read).map_err(|_| Error::unavailable("the store is busy"))?;
        }
        answer.await.map_err(|_| Error::unavailable("the store is closing"))?
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
