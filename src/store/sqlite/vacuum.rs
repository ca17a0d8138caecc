//! Gives the pages of removed rows back to the file system, in small steps.

use std::time::{Duration, Instant};

use super::files::OpenDatabase;

/// Free pages that a small database keeps.
const SLACK: u64 = 256;
/// The part of a database that may be free: new rows use these pages again.
const SLACK_PART: u64 = 8;
/// Pages that one step gives back. A step moves as many pages at most.
const STEP: u32 = 32;
/// Time between two steps.
const STEP_INTERVAL: Duration = Duration::from_millis(25);
/// Time after which free pages are counted again.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// Shortens the database file when many of its pages are free.
pub(super) struct Vacuum<'a> {
    opened: &'a OpenDatabase,
    next: Instant,
    is_under_way: bool,
    has_failed: bool,
}

impl<'a> Vacuum<'a> {
    pub(super) fn new(opened: &'a OpenDatabase) -> Self {
        Self { opened, next: Instant::now(), is_under_way: false, has_failed: false }
    }

    /// How long the writing thread may wait for commands until the next step.
    pub(super) fn wait(&self, longest: Duration) -> Duration {
        if self.is_under_way { STEP_INTERVAL.min(longest) } else { longest }
    }

    /// Called after each commit, and while there are no writes. Runs a step if one is due.
    pub(super) fn step(&mut self) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        let stepped = self.try_step();
        let had_failed = std::mem::replace(&mut self.has_failed, stepped.is_err());
        self.is_under_way = match stepped {
            Ok(is_under_way) => is_under_way,
            Err(error) => {
                if !had_failed {
                    tracing::warn!(%error, "the space of removed rows cannot be given back");
                }
                false
            }
        };
        self.next = now + if self.is_under_way { STEP_INTERVAL } else { COUNT_INTERVAL };
    }

    /// Returns whether there was something to give back.
    fn try_step(&self) -> rusqlite::Result<bool> {
        let db = &self.opened.db;
        let count = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
        let (free, pages) = (count("freelist_count")?, count("page_count")?);
        let is_due = free > SLACK && free > pages / SLACK_PART;
        if is_due {
            // SQLite's own pages about other pages are given back too.
            self.opened.original.may_shrink_to(pages.saturating_sub(2 * u64::from(STEP)));
            let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({STEP})"))?;
            // It gives one page back for each row that is read.
            let mut pages = vacuum.query([])?;
            while pages.next()?.is_some() {}
        }
        Ok(is_due)
    }
}
