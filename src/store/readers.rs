//! The threads that read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::files;
use crate::{
    config::StoreConfig,
    error::{Error, Result},
    supervise::{Background, Ended},
};

/// Reads that may wait; one more is `unavailable`.
const QUEUE: usize = 16_384;

const FAILED: &str = "the store cannot be read";

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Threads with a connection each.
pub(super) struct Readers {
    queue: Mutex<Option<Sender<Read>>>,
    threads: Mutex<Vec<Ended>>,
}

impl Readers {
    pub(super) fn start(config: &StoreConfig, background: &Background) -> Result<Self> {
        let (queue, waiting) = bounded(QUEUE);
        let mut threads = Vec::new();
        for number in 1..=config.readers {
            let db = files::open_reader(&config.path).map_err(|error| Error::internal(FAILED, error))?;
            let waiting = waiting.clone();
            let thread = background.thread(&format!("store-reader-{number}"), move || {
                run(&db, &waiting);
                Ok(())
            });
            threads.push(thread.map_err(|error| Error::internal(FAILED, error))?);
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
    pub(super) async fn close(&self) {
        drop(self.queue.lock().take());
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            thread.wait().await;
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
        // Whoever asked hears of it: the answer was dropped.
        if catch_unwind(AssertUnwindSafe(|| read(db))).is_err() {
            tracing::error!("a read panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_that_panics_has_failed_and_the_thread_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig { path: folder.path().to_owned(), readers: 1, ..StoreConfig::default() };
        drop(files::open(&config).unwrap());
        let background = Background::default();
        let readers = Readers::start(&config, &background).unwrap();
        let panicked = readers.read(|_| -> rusqlite::Result<()> { panic!("as a bug would") }).await;
        assert!(matches!(panicked, Err(Error::Unavailable(..))));
        assert_eq!(readers.read(|_| Ok(7)).await.unwrap(), 7);
        assert_eq!(background.supervisor().failure(), None);
        readers.close().await;
    }
}
