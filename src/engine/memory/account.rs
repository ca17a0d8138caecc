//! Counts the memory that is held for all clients, and compares it with the bounds.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::kind::{KINDS, MemoryKind};
use crate::{config::LimitsConfig, engine::settings::Bound};

/// Maximal bytes of one read from a connection while memory is scarce.
pub(in crate::engine) const SCARCE_CHUNK: usize = 4 * 1024;
/// Maximal bytes of an HTTP body while memory is scarce.
pub(super) const SMALL_BODY: usize = 64 * 1024;
/// Freed memory is returned to the OS only if more than this number of bytes was held before.
pub(super) const TRIM: usize = 8 * 1024 * 1024;
/// The held bytes are compared with the bounds each time the bytes of one kind cross a multiple of this number.
pub(super) const STEP: usize = 64 * 1024;

/// `limits.received-bytes`. It is raised if one event with its attachments and one more message would not fit.
pub(super) fn received_bytes(limits: &LimitsConfig) -> usize {
    match (limits.received_bytes, limits.payload_bytes) {
        (0, _) | (_, 0) => 0,
        (received, payload) => received.max(payload.saturating_mul(3).saturating_add(STEP)),
    }
}

/// How much of `limits.memory` is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Level {
    /// At most seven eighths.
    Normal,
    /// More than seven eighths.
    Scarce,
    /// All of it, or more.
    Full,
}

/// A counter in its own cache line, so that threads that charge different kinds do not contend.
#[derive(Default)]
#[repr(align(64))]
struct PaddedCounter(AtomicUsize);

/// The input of a connection that is paused: the server does not read from the connection while memory is scarce.
pub(super) trait PausedInput: Send + Sync {
    /// Checks again whether the server may read, because less of `limits.memory` is used.
    fn resume(&self);
}

/// The bytes that are held for all clients, by [`MemoryKind`], and their bounds.
pub(crate) struct Account {
    held: [PaddedCounter; KINDS],
    /// How much of `limits.memory` is used: a [`Level`].
    level: AtomicU8,
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
    /// The inputs that are paused because memory is scarce.
    paused: Mutex<Vec<Weak<dyn PausedInput>>>,
}

impl Account {
    /// An empty account with the bounds of the configuration; `logs` is `recovery.total-bytes`.
    pub(crate) fn new(limits: &LimitsConfig, logs: usize) -> Arc<Self> {
        Arc::new(Self {
            held: Default::default(),
            level: AtomicU8::new(Level::Normal as u8),
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
    pub(in crate::engine) fn set_limits(&self, limits: &LimitsConfig) {
        self.memory.set(limits.memory);
        self.received.set(received_bytes(limits));
        self.output.set(limits.queued_bytes_total);
        self.compare();
        self.resume();
    }

    /// Bytes held for one kind.
    pub(in crate::engine) fn held(&self, kind: MemoryKind) -> usize {
        self.held[kind as usize].0.load(Relaxed)
    }

    /// Bytes held for each kind.
    pub(in crate::engine) fn by_kind(&self) -> impl Iterator<Item = (MemoryKind, usize)> {
        MemoryKind::ALL.into_iter().map(|kind| (kind, self.held(kind)))
    }

    /// All bytes held.
    pub(in crate::engine) fn total(&self) -> usize {
        self.by_kind().map(|(_, bytes)| bytes).sum()
    }

    /// Whether more than seven eighths of `limits.memory` are used.
    pub(in crate::engine) fn is_scarce(&self) -> bool {
        self.level.load(Relaxed) >= Level::Scarce as u8
    }

    /// Whether `limits.memory` is used up.
    pub(crate) fn is_full(&self) -> bool {
        self.is_scarce() && self.total() > self.memory.get()
    }

    /// Whether unsent packets are above `limits.queued-bytes-total`, or memory is scarce.
    pub(in crate::engine) fn is_output_excessive(&self) -> bool {
        self.is_scarce() || self.held(MemoryKind::Output) > self.output.get()
    }

    /// Whether recovery logs exceed their bound, or hold much while memory is scarce, so that some must be discarded.
    pub(in crate::engine) fn are_logs_excessive(&self) -> bool {
        // If memory is scarce but logs hold little of it, discarding logs would not help.
        self.held(MemoryKind::Logs) > self.logs
            || (self.is_scarce() && self.held(MemoryKind::Logs) > self.memory.get() / 16)
    }

    /// Whether away sockets must be discarded, because their logs or their long handshakes hold too much.
    pub(in crate::engine) fn are_away_excessive(&self) -> bool {
        self.are_logs_excessive() || self.held(MemoryKind::Handshakes) > self.logs
    }

    /// Bytes that each connection may hold while memory is scarce: three quarters of `limits.memory`, divided by the
    /// number of connections. If connections are the reason why memory is scarce, some of them hold more.
    pub(in crate::engine) fn equal_share(&self) -> usize {
        self.memory.get() / 4 * 3 / self.connections.load(Relaxed).max(1)
    }

    /// Bytes above which the server does not read from a connection now. No bound while memory is not scarce; an equal
    /// share while it is scarce; an eighth of an equal share when `limits.memory` is used up, so that connections below
    /// their share cannot take much more.
    pub(in crate::engine) fn readable_share(&self) -> usize {
        match self.level.load(Relaxed) {
            normal if normal == Level::Normal as u8 => usize::MAX,
            scarce if scarce == Level::Scarce as u8 => self.equal_share(),
            _ => self.equal_share() / 8,
        }
    }

    /// Unsent bytes that each connection may have while [`Self::is_output_excessive`]: the smaller of
    /// `limits.queued-bytes-total` and `limits.memory`, divided by the number of connections.
    pub(in crate::engine) fn equal_share_of_output(&self) -> usize {
        self.output.get().min(self.memory.get()) / self.connections.load(Relaxed).max(1)
    }

    /// Whether an HTTP body may grow by `more` bytes, if `held` bytes of it are charged already.
    pub(crate) fn takes_body(&self, held: usize, more: usize) -> bool {
        held + more <= SMALL_BODY || (!self.is_scarce() && self.held(MemoryKind::Http) + more <= self.memory.get() / 4)
    }

    /// Maximum number of bytes of the next payload for a polling client: `most`, or less if a body of `most` bytes
    /// would be refused now.
    pub(in crate::engine) fn body_size(&self, most: usize) -> usize {
        if self.takes_body(0, most) { most } else { most.min(SMALL_BODY) }
    }

    pub(super) fn add(&self, kind: MemoryKind, bytes: usize) {
        let before = self.held[kind as usize].0.fetch_add(bytes, Relaxed);
        if before / STEP != (before + bytes) / STEP {
            self.compare();
        }
    }

    pub(super) fn subtract(&self, kind: MemoryKind, bytes: usize) {
        let before = self.held[kind as usize].0.fetch_sub(bytes, Relaxed);
        if before / STEP != before.saturating_sub(bytes) / STEP {
            self.compare();
        }
    }

    /// Compares the held bytes with the bounds. Wakes the relief task if it has work, and lets paused connections check
    /// again whether they may be read from when less of `limits.memory` is used.
    pub(in crate::engine) fn compare(&self) {
        let (total, most) = (self.total(), self.memory.get());
        self.peak.fetch_max(total, Relaxed);
        let level = match total {
            _ if total > most => Level::Full,
            _ if total > most - most / 8 => Level::Scarce,
            _ => Level::Normal,
        };
        let before = self.level.swap(level as u8, Relaxed);
        if level >= Level::Scarce || self.are_away_excessive() {
            self.relief.notify_one();
        }
        if (level as u8) < before {
            self.resume();
        }
    }

    /// Whether freed memory should be returned to the OS: less than half of the peak is still held. If the result is
    /// true, the peak is reset, so the caller must return the memory.
    pub(in crate::engine) fn should_trim(&self) -> bool {
        let (total, peak) = (self.total(), self.peak.load(Relaxed));
        let should = peak > TRIM && total < peak / 2;
        if should {
            self.peak.store(total, Relaxed);
        }
        should
    }

    /// Waits until the relief task has work.
    pub(in crate::engine) async fn needs_relief(&self) {
        self.relief.notified().await;
    }

    /// Adds an input that is paused because memory is scarce.
    pub(super) fn pause(&self, paused: Weak<dyn PausedInput>) {
        self.paused.lock().push(paused);
    }

    /// Maximal bytes of one connection's input and unanswered events.
    pub(super) fn received_max(&self) -> usize {
        self.received.get()
    }

    /// Resumes all paused inputs. Those above their share pause again.
    fn resume(&self) {
        let paused = std::mem::take(&mut *self.paused.lock());
        paused.iter().filter_map(Weak::upgrade).for_each(|paused| paused.resume());
    }
}

/// Counts one connection in the account until it is dropped. [`Account::equal_share`] divides by this count.
pub(in crate::engine) struct ConnectionCount(Arc<Account>);

impl ConnectionCount {
    pub(in crate::engine) fn new(account: &Arc<Account>) -> Self {
        account.connections.fetch_add(1, Relaxed);
        Self(account.clone())
    }
}

impl Drop for ConnectionCount {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}
