//! How far a migration is, and its lines in the log.

use std::time::{Duration, Instant};

/// Time between two lines.
const INTERVAL: Duration = Duration::from_secs(5);

/// How many rows are copied.
#[derive(Debug, Clone, Copy)]
pub(in crate::store::sqlite) struct Progress {
    pub(in crate::store::sqlite) done: u64,
    pub(in crate::store::sqlite) total: u64,
}

/// Logs the first progress, the last, and one every 5 s in between.
#[derive(Default)]
pub(in crate::store::sqlite) struct ProgressLines {
    last: Option<Instant>,
}

impl ProgressLines {
    pub(in crate::store::sqlite) fn log(&mut self, progress: Progress) {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= INTERVAL);
        if is_due || progress.done >= progress.total {
            self.last = Some(Instant::now());
            tracing::info!(rows = progress.done, of = progress.total, "migrating the database to a new schema");
        }
    }
}
