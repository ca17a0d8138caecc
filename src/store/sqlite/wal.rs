//! Keeps SQLite's write-ahead log (WAL) small. SQLite checkpoints and reuses the WAL file, but never shrinks it by
//! itself, and cannot restart it while a reader uses it.

use std::time::{Duration, Instant};

use super::files::{OpenDatabase, truncate_wal};

/// Size in bytes above which an idle WAL is truncated.
const SMALL: u64 = 1024 * 1024;
/// Size in bytes above which the writer waits for readers in order to truncate the WAL.
const LARGE: u64 = 64 * 1024 * 1024;
/// Time without a write after which a WAL of more than [`SMALL`] is truncated.
const QUIET: Duration = Duration::from_secs(5);
/// How long the writer waits for readers.
const READER_TIMEOUT: Duration = Duration::from_millis(100);
/// Time between two attempts to truncate.
const ATTEMPT_INTERVAL: Duration = Duration::from_secs(2);

/// Truncates the WAL when it is large or idle.
pub(super) struct Wal<'a> {
    opened: &'a OpenDatabase,
    last_write: Instant,
    last_attempt: Option<Instant>,
    has_failed: bool,
}

impl<'a> Wal<'a> {
    pub(super) fn new(opened: &'a OpenDatabase) -> Self {
        Self { opened, last_write: Instant::now(), last_attempt: None, has_failed: false }
    }

    /// Called after a commit with the current size of the WAL.
    pub(super) fn after_commit(&mut self, bytes: u64) {
        self.last_write = Instant::now();
        if bytes > LARGE {
            self.truncate(READER_TIMEOUT);
        }
    }

    /// Called while there are no writes.
    pub(super) fn while_idle(&mut self, bytes: u64) {
        if bytes > SMALL && self.last_write.elapsed() > QUIET {
            self.truncate(Duration::ZERO);
        }
    }

    fn truncate(&mut self, timeout: Duration) {
        if self.last_attempt.is_some_and(|last_attempt| last_attempt.elapsed() < ATTEMPT_INTERVAL) {
            return;
        }
        self.last_attempt = Some(Instant::now());
        let result = truncate_wal(&self.opened.db, &self.opened.original, timeout);
        let had_failed = std::mem::replace(&mut self.has_failed, result.is_err());
        if let Err(error) = result
            && !had_failed
        {
            // Of consecutive failures only the first is logged, because a full disk may stay full for long.
            tracing::warn!(%error, "the write-ahead log cannot be checkpointed");
        }
    }
}
