//! Offsets: the server sends one with each event, and a recovering client sends that of the last event it has received.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::{Rng, distr::Alphanumeric};

/// Makes the offsets of this process.
pub(crate) struct Offsets {
    /// Random for each start, so that an offset of an earlier process is not mistaken for one of this process.
    tag: String,
    next: AtomicU64,
}

impl Offsets {
    pub(super) fn new() -> Self {
        let tag = rand::rng().sample_iter(Alphanumeric).take(6).map(char::from).collect();
        Self { tag, next: AtomicU64::new(1) }
    }

    /// The number of the next event; never 0.
    pub(super) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The tag of an offset, which is `<tag>.<number>`.
    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// The number of an offset that a client sent; `None` where this process did not make it.
    pub(super) fn parse(&self, text: &str) -> Option<u64> {
        text.strip_prefix(self.tag.as_str())?.strip_prefix('.')?.parse().ok()
    }
}
