//! Offsets: the server sends one with each event, and a recovering client sends the last one that it has received.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use rand::{Rng, distr::Alphanumeric};

/// Generates the offsets of this process.
pub(crate) struct Offsets {
    /// Random for each process, so that an offset of an earlier process is recognised as unknown. A process that has
    /// taken up the sockets of an earlier one goes on with that one's tag.
    tag: OnceLock<String>,
    next: AtomicU64,
}

impl Offsets {
    pub(super) fn new() -> Self {
        Self { tag: OnceLock::new(), next: AtomicU64::new(1) }
    }

    /// Goes on with the offsets of an earlier process. Must be called before the first event is sent.
    pub(super) fn resume(&self, tag: String, next: u64) {
        assert!(self.tag.set(tag).is_ok(), "no event was sent yet");
        self.next.store(next, Ordering::Relaxed);
    }

    /// The number of the next event; never 0.
    pub(super) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The number that [`Self::next`] will return.
    pub(super) fn peek(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// The tag. An offset is `<tag>.<number>`.
    pub(super) fn tag(&self) -> &str {
        self.tag.get_or_init(|| rand::rng().sample_iter(Alphanumeric).take(6).map(char::from).collect())
    }

    /// The number of an offset that a client sent. `None` if the offset is not of this process, or the one before it.
    pub(super) fn parse(&self, text: &str) -> Option<u64> {
        text.strip_prefix(self.tag())?.strip_prefix('.')?.parse().ok()
    }
}
