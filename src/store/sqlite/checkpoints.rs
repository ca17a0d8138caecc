//! Checkpoints beside the writing thread, while messages are removed.
//!
//! SQLite's automatic checkpoints run in the commit that fills the write-ahead log (WAL). A removed message changes a
//! page of its own, so removals fill the WAL fast, and saves would wait for many checkpoints. Here a thread with a
//! connection of its own makes most of their work in advance: an automatic one then finds little left.

use std::{sync::Arc, thread, time::Duration};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use rusqlite::Connection;

use super::{file_identity::OriginalFile, files};
use crate::{
    config::StoreConfig,
    error::{Error, Result},
    supervise::{Background, Completion},
};

/// Time between two checkpoints.
const INTERVAL: Duration = Duration::from_millis(100);

enum Request {
    Checkpoint,
    End,
}

/// Asks for checkpoints.
pub(super) struct CheckpointRequests(Sender<Request>);

impl CheckpointRequests {
    /// Asks for a checkpoint, unless one is asked for already.
    pub(super) fn request(&self) {
        // Full, or ended.
        drop(self.0.try_send(Request::Checkpoint));
    }
}

/// The thread. It ends with [`Checkpoints::close`], or when nobody can ask for checkpoints any more.
pub(super) struct Checkpoints {
    requests: Sender<Request>,
    thread: Mutex<Option<Completion>>,
}

impl Checkpoints {
    pub(super) fn start(config: &StoreConfig, original: &Arc<OriginalFile>, background: &Background) -> Result<Self> {
        let db = files::open_for_checkpoints(config)
            .map_err(|error| Error::internal("the store cannot be opened", error))?;
        let (requests, asked) = bounded(1);
        let original = original.clone();
        let thread = background.thread("store-checkpoints", move || {
            // Dropped after the connection: see `OriginalFile::file`.
            let _original = original;
            let db = db;
            run(&db, &asked);
            Ok(())
        });
        let thread = thread.map_err(|error| Error::internal("the store cannot be opened", error))?;
        Ok(Self { requests, thread: Mutex::new(Some(thread)) })
    }

    /// For the writing thread.
    pub(super) fn requests(&self) -> CheckpointRequests {
        CheckpointRequests(self.requests.clone())
    }

    /// Ends the thread. Called before the writing thread ends, whose connection must be the last one.
    pub(super) async fn close(&self) {
        let Some(thread) = self.thread.lock().take() else { return };
        let requests = self.requests.clone();
        // Waits for a request that is queued already, at most for a checkpoint.
        let ending = tokio::task::spawn_blocking(move || requests.send(Request::End));
        drop(ending.await);
        thread.wait().await;
    }
}

fn run(db: &Connection, asked: &Receiver<Request>) {
    while let Ok(Request::Checkpoint) = asked.recv() {
        // Copies what it can without waiting for anybody.
        let checkpoint = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = checkpoint {
            // The automatic checkpoints report what is wrong.
            tracing::debug!(%error, "no checkpoint beside the writes");
        }
        thread::sleep(INTERVAL);
    }
}
