//! Offsets: what a client says of the last event it has seen, and a server of each event it sends.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::{Rng, distr::Alphanumeric};

/// Numbers the events of this process.
pub(crate) struct Offsets {
    /// Another for each start of the process, so that no offset of an earlier one is taken for one of this.
    tag: String,
    next: AtomicU64,
}

impl Offsets {
    pub(super) fn new() -> Self {
        let tag = rand::rng().sample_iter(Alphanumeric).take(6).map(char::from).collect();
        Self { tag, next: AtomicU64::new(1) }
    }

    /// The next event's number; never 0.
    pub(super) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// As it stands on the wire, after the tag: `<tag>.<number>`.
    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// The number in what a client sent; `None` where it is none of this process.
    pub(super) fn parse(&self, text: &str) -> Option<u64> {
        text.strip_prefix(self.tag.as_str())?.strip_prefix('.')?.parse().ok()
    }
}
