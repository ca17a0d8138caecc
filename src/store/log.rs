//! Keeps SQLite's write-ahead log small. SQLite copies it into the database every now and then and begins anew,
//! but never makes it smaller, and cannot begin anew while somebody reads.

use std::time::{Duration, Instant};

use super::files::{Opened, empty_log};

/// Bytes that may lie there while nobody writes.
const SMALL: u64 = 1024 * 1024;
/// Bytes from which on writes wait for those who read.
const LARGE: u64 = 64 * 1024 * 1024;
/// How long nobody must have written.
const QUIET: Duration = Duration::from_secs(5);
/// How long writes wait, and how often.
const PATIENCE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_secs(2);

/// Keeps it small.
pub(super) struct Log<'a> {
    opened: &'a Opened,
    written: Instant,
    tried: Option<Instant>,
    has_failed: bool,
}

impl<'a> Log<'a> {
    pub(super) fn new(opened: &'a Opened) -> Self {
        Self { opened, written: Instant::now(), tried: None, has_failed: false }
    }

    /// A group was committed, and the log has so many bytes now.
    pub(super) fn grew(&mut self, bytes: u64) {
        self.written = Instant::now();
        if bytes > LARGE {
            self.empty(PATIENCE);
        }
    }

    /// Nobody writes.
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
        let result = empty_log(&self.opened.db, &self.opened.original, patience);
        let had_failed = std::mem::replace(&mut self.has_failed, result.is_err());
        if let Err(error) = result
            && !had_failed
        {
            // Once: a full disk stays full for a while.
            tracing::warn!(%error, "the write-ahead log cannot be checkpointed");
        }
    }
}
