//! The account of the memory that is held for all clients.

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
/// Bytes that must have been held before it is worthwhile to return freed memory to the system.
pub(super) const TRIM: usize = 8 * 1024 * 1024;
/// What is held is compared with the bounds each time a kind has changed by about this many bytes.
pub(super) const STEP: usize = 64 * 1024;

/// `limits.received-bytes`, but at least enough for one event with its attachments beside another message.
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

/// The input of a connection that is not read from because memory is scarce.
pub(super) trait Paused: Send + Sync {
    /// Memory is no longer scarce: reading may go on.
    fn resume(&self);
}

/// The account of the memory that is held for all clients.
pub(crate) struct Account {
    held: [Held; KINDS],
    /// Whether `limits.memory` is nearly used up.
    is_scarce: AtomicBool,
    memory: Bound,
    received: Bound,
    output: Bound,
    logs: usize,
    /// The most that was held since freed memory was last returned to the system.
    peak: AtomicUsize,
    /// How many connections there are.
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

    /// Whether recovery logs are above their bound, so that some must be given up.
    pub(in crate::engine) fn are_logs_excessive(&self) -> bool {
        // Where memory is scarce but little of it is logs, giving them up would not help.
        self.held(Kind::Logs) > self.logs || (self.is_scarce() && self.held(Kind::Logs) > self.memory.get() / 16)
    }

    /// Whether sockets that are away must be given up, for their logs or for their long handshakes.
    pub(in crate::engine) fn are_away_excessive(&self) -> bool {
        self.are_logs_excessive() || self.held(Kind::Handshakes) > self.logs
    }

    /// One connection's equal share of the memory. It counts where memory is scarce. If connections are the cause, some
    /// of them hold more than this.
    pub(in crate::engine) fn equal_share(&self) -> usize {
        self.memory.get() / 4 * 3 / self.connections.load(Relaxed).max(1)
    }

    /// One connection's equal share of the output. It counts where all output together is too much.
    pub(in crate::engine) fn equal_share_of_output(&self) -> usize {
        self.output.get().min(self.memory.get()) / self.connections.load(Relaxed).max(1)
    }

    /// Whether an HTTP body of which `held` bytes are charged may grow by `more`.
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

    /// Compares what is held with the bounds, and wakes the relief task or paused connections.
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

    /// Whether so much less is held than before that freed memory should be returned to the system. The caller must do
    /// so then.
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

/// One connection's share of the account, until it is dropped.
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
