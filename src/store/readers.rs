//! The threads that read.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
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

/// Threads with a connection each. They end when this is dropped.
pub(super) struct Readers {
    queue: Sender<Read>,
}

impl Readers {
    pub(super) fn start(config: &StoreConfig) -> Result<Self> {
        let (queue, waiting) = bounded(QUEUE);
        for number in 1..=config.readers {
            let db = files::open_reader(&config.path).map_err(|error| Error::internal(FAILED, error))?;
            let waiting = waiting.clone();
            thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || run(&db, &waiting))
                .map_err(|error| Error::internal(FAILED, error))?;
        }
        Ok(Self { queue })
    }

    /// Runs a query on one of the threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |db| {
            let result = query(db).map_err(|error| Error::internal("the store failed", error));
            // Whoever asked may be gone.
            drop(reply.send(result));
        });
        self.queue.try_send(read).map_err(|_| Error::unavailable("the store is busy"))?;
        answer.await.map_err(|_| Error::unavailable("the store is closing"))?
    }
}

fn run(db: &Connection, waiting: &Receiver<Read>) {
    for read in waiting {
        read(db);
    }
}
