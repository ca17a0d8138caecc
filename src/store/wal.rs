//! Keeps SQLite's write-ahead log (WAL) small. SQLite checkpoints and reuses the WAL file, but never shrinks it by
//! itself, and cannot restart it while a reader uses it.

use std::time::{Duration, Instant};

use super::files::{Opened, empty_wal};

/// Bytes the WAL may have while there are no writes.
const SMALL: u64 = 1024 * 1024;
/// Bytes from which the writer waits for readers in order to truncate the WAL.
const LARGE: u64 = 64 * 1024 * 1024;
/// Time without a write after which the WAL is truncated to [`SMALL`].
const QUIET: Duration = Duration::from_secs(5);
/// How long the writer waits for readers.
const PATIENCE: Duration = Duration::from_millis(100);
/// Time between two such attempts.
const PAUSE: Duration = Duration::from_secs(2);

/// Truncates the WAL when it is large or idle.
pub(super) struct Wal<'a> {
    opened: &'a Opened,
    written: Instant,
    tried: Option<Instant>,
    has_failed: bool,
}

impl<'a> Wal<'a> {
    pub(super) fn new(opened: &'a Opened) -> Self {
        Self { opened, written: Instant::now(), tried: None, has_failed: false }
    }

    /// Called after a commit with the current size of the WAL.
    pub(super) fn grew(&mut self, bytes: u64) {
        self.written = Instant::now();
        if bytes > LARGE {
            self.empty(PATIENCE);
        }
    }

    /// Called while there are no writes.
    pub(super) fn rests(&mut self, bytes: u64) {
        if bytes > SMALL && self.written.elapsed() > QUIET {
            self.empty(Duration::ZERO);
        }
    }

    fn empty(&mut self, patience: Duration) {
        if self.tried.is_some_and(|tried| tried.elapsed() < PAUSE) {
            return;
        }
        self.tried = Some(Instant::now());
        let result = empty_wal(&self.opened.db, &self.opened.original, patience);
        let had_failed = std::mem::replace(&mut self.has_failed, result.is_err());
        if let Err(error) = result
            && !had_failed
        {
            // Logged once: a full disk stays full for a while.
            tracing::warn!(%error, "the write-ahead log cannot be checkpointed");
        }
    }
}
