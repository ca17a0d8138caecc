//! Counts the memory that is held for all clients, and compares it with the bounds.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::kind::{KINDS, Kind};
use crate::{config::LimitsConfig, engine::settings::Bound};

/// Maximal bytes of one read from a connection while memory is scarce.
pub(in crate::engine) const SCARCE_CHUNK: usize = 4 * 1024;
/// Maximal bytes of an HTTP body while memory is scarce.
pub(super) const SMALL_BODY: usize = 64 * 1024;
/// Bytes that must have been held before freed memory is returned to the OS.
pub(super) const TRIM: usize = 8 * 1024 * 1024;
/// The held bytes are compared with the bounds each time the bytes of one kind cross a multiple of this number.
pub(super) const STEP: usize = 64 * 1024;

/// `limits.received-bytes`, raised if necessary, so that one event with its attachments fits beside another message.
pub(super) fn received_bytes(limits: &LimitsConfig) -> usize {
    match (limits.received_bytes, limits.payload_bytes) {
        (0, _) | (_, 0) => 0,
        (received, payload) => received.max(payload.saturating_mul(3).saturating_add(STEP)),
    }
}

/// A counter in a cache line of its own, so that threads that charge different kinds do not contend.
#[derive(Default)]
#[repr(align(64))]
struct Held(AtomicUsize);

/// A connection's input that can be paused: the connection is not read from while memory is scarce.
pub(super) trait Paused: Send + Sync {
    /// Resumes reading, because memory is no longer scarce.
    fn resume(&self);
}

/// The bytes that are held for all clients, by [`Kind`], and their bounds.
pub(crate) struct Account {
    held: [Held; KINDS],
    /// Whether `limits.memory` is nearly used up.
    is_scarce: AtomicBool,
    memory: Bound,
    received: Bound,
    output: Bound,
    logs: usize,
    /// Maximum of the held bytes since freed memory was last returned to the OS.
    peak: AtomicUsize,
    /// Number of connections.
    connections: AtomicUsize,
    /// Wakes the relief task.
    relief: Notify,
    /// Connections that are not read from because memory is scarce.
    paused: Mutex<Vec<Weak<dyn Paused>>>,
}

impl Account {
    /// An empty account with the bounds of the configuration; `logs` is `recovery.total-bytes`.
    pub(crate) fn new(limits: &LimitsConfig, logs: usize) -> Arc<Self> {
        Arc::new(Self {
            held: Default::default(),
            is_scarce: AtomicBool::new(false),
            memory: Bound::new(limits.memory),
            received: Bound::new(received_bytes(limits)),
            output: Bound::new(limits.queued_bytes_total),
            logs,
            peak: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            relief: Notify::new(),
            paused: Mutex::default(),
        })
    }

    /// An account without bounds.
    #[cfg(any(fuzzing, test))]
    pub(crate) fn unbounded() -> Arc<Self> {
        let limits = LimitsConfig { memory: 0, received_bytes: 0, queued_bytes_total: 0, ..LimitsConfig::default() };
        Self::new(&limits, usize::MAX)
    }

    /// Replaces the bounds that may change while the server runs.
    pub(in crate::engine) fn rebound(&self, limits: &LimitsConfig) {
        self.memory.set(limits.memory);
        self.received.set(received_bytes(limits));
        self.output.set(limits.queued_bytes_total);
        self.compare();
        self.resume();
    }

    /// Bytes held for one kind.
    pub(in crate::engine) fn held(&self, kind: Kind) -> usize {
        self.held[kind as usize].0.load(Relaxed)
    }

    /// Bytes held for each kind.
    pub(in crate::engine) fn by_kind(&self) -> impl Iterator<Item = (Kind, usize)> {
        Kind::ALL.into_iter().map(|kind| (kind, self.held(kind)))
    }

    /// All bytes held.
    pub(in crate::engine) fn total(&self) -> usize {
        self.by_kind().map(|(_, bytes)| bytes).sum()
    }

    /// Whether `limits.memory` is nearly used up: by seven eighths.
    pub(in crate::engine) fn is_scarce(&self) -> bool {
        self.is_scarce.load(Relaxed)
    }

    /// Whether `limits.memory` is used up.
    pub(crate) fn is_full(&self) -> bool {
        self.is_scarce() && self.total() > self.memory.get()
    }

    /// Whether unsent packets are above `limits.queued-bytes-total`, or memory is scarce.
    pub(in crate::engine) fn is_output_excessive(&self) -> bool {
        self.is_scarce() || self.held(Kind::Output) > self.output.get()
    }

    /// Whether recovery logs exceed their bound, so that some must be discarded.
    pub(in crate::engine) fn are_logs_excessive(&self) -> bool {
        // If memory is scarce but logs hold little of it, discarding logs would not help.
        self.held(Kind::Logs) > self.logs || (self.is_scarce() && self.held(Kind::Logs) > self.memory.get() / 16)
    }

    /// Whether away sockets must be discarded, because their logs or their long handshakes hold too much.
    pub(in crate::engine) fn are_away_excessive(&self) -> bool {
        self.are_logs_excessive() || self.held(Kind::Handshakes) > self.logs
    }

    /// Bytes that each connection may hold while memory is scarce: three quarters of `limits.memory`, divided by the
    /// number of connections. If connections are the reason for the scarcity, some of them hold more than this.
    pub(in crate::engine) fn equal_share(&self) -> usize {
        self.memory.get() / 4 * 3 / self.connections.load(Relaxed).max(1)
    }

    /// Unsent bytes that each connection may have while [`Self::is_output_excessive`]: the smaller of
    /// `limits.queued-bytes-total` and `limits.memory`, divided by the number of connections.
    pub(in crate::engine) fn equal_share_of_output(&self) -> usize {
        self.output.get().min(self.memory.get()) / self.connections.load(Relaxed).max(1)
    }

    /// Whether an HTTP body may grow by `more` bytes, if `held` bytes of it are charged already.
    pub(crate) fn takes_body(&self, held: usize, more: usize) -> bool {
        held + more <= SMALL_BODY || (!self.is_scarce() && self.held(Kind::Http) + more <= self.memory.get() / 4)
    }

    /// Maximal bytes of the next payload for a polling client, up to `most`.
    pub(in crate::engine) fn body_size(&self, most: usize) -> usize {
        if self.takes_body(0, most) { most } else { most.min(SMALL_BODY) }
    }

    pub(super) fn add(&self, kind: Kind, bytes: usize) {
        let before = self.held[kind as usize].0.fetch_add(bytes, Relaxed);
        if before / STEP != (before + bytes) / STEP {
            self.compare();
        }
    }

    pub(super) fn subtract(&self, kind: Kind, bytes: usize) {
        let before = self.held[kind as usize].0.fetch_sub(bytes, Relaxed);
        if before / STEP != before.saturating_sub(bytes) / STEP {
            self.compare();
        }
    }

    /// Compares the held bytes with the bounds. Wakes the relief task if it has work, and resumes paused connections
    /// when memory is no longer scarce.
    pub(in crate::engine) fn compare(&self) {
        let (total, most) = (self.total(), self.memory.get());
        self.peak.fetch_max(total, Relaxed);
        let is_scarce = total > most - most / 8;
        let was_scarce = self.is_scarce.swap(is_scarce, Relaxed);
        if is_scarce || self.are_away_excessive() {
            self.relief.notify_one();
        }
        if was_scarce && !is_scarce {
            self.resume();
        }
    }

    /// Whether freed memory should be returned to the OS: less than half of the peak is still held. If true, the peak
    /// is reset, so the caller must return the memory.
    pub(in crate::engine) fn should_trim(&self) -> bool {
        let (total, peak) = (self.total(), self.peak.load(Relaxed));
        let should = peak > TRIM && total < peak / 2;
        if should {
            self.peak.store(total, Relaxed);
        }
        should
    }

    /// Waits until there is something for the relief task to do.
    pub(in crate::engine) async fn needs_relief(&self) {
        self.relief.notified().await;
    }

    /// Adds a connection that is not read from because memory is scarce.
    pub(super) fn pause(&self, paused: Weak<dyn Paused>) {
        self.paused.lock().push(paused);
    }

    /// Maximal bytes of one connection's input and unanswered events.
    pub(super) fn received_max(&self) -> usize {
        self.received.get()
    }

    /// Wakes the connections that were not read from because memory was scarce.
    fn resume(&self) {
        let paused = std::mem::take(&mut *self.paused.lock());
        paused.iter().filter_map(Weak::upgrade).for_each(|paused| paused.resume());
    }
}

/// Counts one connection in the account until it is dropped. [`Account::equal_share`] divides by this count.
pub(in crate::engine) struct Share(Arc<Account>);

impl Share {
    pub(in crate::engine) fn new(account: &Arc<Account>) -> Self {
        account.connections.fetch_add(1, Relaxed);
        Self(account.clone())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}
