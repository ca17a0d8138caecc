//! Back-pressure: the account of all bytes that clients make the server hold, its bounds, and what happens beyond them.
//!
//! Whatever is held for a client is charged here while it is held: unfinished input, events and writes that are not
//! answered, packets on their way out, recovery logs, HTTP bodies. A packet that many sockets get is charged once; what
//! each queue and log adds for it is the 8 to 16 bytes of its own buffer.
//!
//! | bound | of what | beyond it |
//! |---|---|---|
//! | `limits.received-bytes` | input and unanswered events of one connection | the connection is not read from |
//! | `limits.queued-bytes` | output of one connection, each packet in full | the connection is dropped: `slow-consumer` |
//! | `recovery.bytes` | the log of one socket, each packet in full | the oldest events are forgotten |
//! | `limits.queued-bytes-total` | output | slow connections above an equal share are dropped |
//! | `recovery.total-bytes` | recovery logs; long handshakes | logs are given up: those of sockets that are away first |
//! | a quarter of `limits.memory` | HTTP bodies | large ones are refused with 503 |
//! | `limits.memory` | everything | in this order, see below |
//!
//! From seven eighths of `limits.memory` on, memory is *scarce*, and the engine's relief task (`relief`) begins: the
//! logs of sockets that are away are given up, then those of connected sockets; connections that hold more than an
//! equal share are not read from; if that does not help within [`RELIEF_PAUSE`], those that hold most are dropped. At
//! `limits.memory` itself, new connections, large HTTP bodies, and events of those above an equal share are refused.

mod charge;
mod received;

use std::{
    sync::{
        Arc, Weak,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::settings::Bound;
pub(crate) use charge::Charge;
pub(super) use charge::PacketCharge;
pub(super) use received::Received;
pub(crate) use received::ReceivedCharge;

use crate::config::LimitsConfig;

/// Packets of one client that are taken in before others have a turn.
pub(super) const PACKETS_PER_TURN: u32 = 512;
/// CONNECTs of one connection that may be undecided at a time; then it is not read from.
pub(super) const ADMISSIONS: usize = 4;
/// How long a connection may go without being read from; then it is dropped. Its ping deadline stands still meanwhile.
pub(super) const STALL_MAX: Duration = Duration::from_secs(60);
/// How long memory may stay scarce before connections are dropped for it, and between two such steps.
pub(super) const RELIEF_PAUSE: Duration = Duration::from_millis(500);
/// Bytes in one read from a connection while memory is scarce.
pub(super) const SCARCE_CHUNK: usize = 4 * 1024;
/// Bytes of an HTTP body that is taken or given while memory is scarce.
const SMALL_BODY: usize = 64 * 1024;
/// Bytes from which on it is worth while to give memory back to the system when it is no longer held.
const TRIM: usize = 8 * 1024 * 1024;
/// Bytes of a handshake or an `auth` that are not charged.
const SMALL_HANDSHAKE: usize = 4 * 1024;
/// What an event costs beside its text: its place in the socket's queue, its handler's future, its answer.
const EVENT_OVERHEAD: usize = 512;
/// The bounds are compared each time a kind of charge has moved by about this much.
const STEP: usize = 64 * 1024;
/// How many kinds of charges there are.
const KINDS: usize = 7;

/// What bytes are held for; the label of `sockeye_memory_bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Messages, packets and requests that have not arrived whole.
    Input,
    /// Handshakes and the `auth` of CONNECT, where they are long: kept as long as the connection or the socket.
    Handshakes,
    /// Events that wait for their turn or are being handled.
    Events,
    /// Writes that wait for their commit.
    Writes,
    /// Packets in the queues of connections.
    Output,
    /// Packets that only recovery logs hold.
    Logs,
    /// Bodies of HTTP requests and responses.
    Http,
}

impl Kind {
    const ALL: [Self; KINDS] =
        [Self::Input, Self::Handshakes, Self::Events, Self::Writes, Self::Output, Self::Logs, Self::Http];

    /// As in the metric's label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Handshakes => "handshakes",
            Self::Events => "events",
            Self::Writes => "writes",
            Self::Output => "output",
            Self::Logs => "logs",
            Self::Http => "http",
        }
    }
}

/// `limits.received-bytes`, but never so few that one event with its attachments does not fit beside another message.
fn received_bytes(limits: &LimitsConfig) -> usize {
    match (limits.received_bytes, limits.payload_bytes) {
        (0, _) | (_, 0) => 0,
        (received, payload) => received.max(payload.saturating_mul(3).saturating_add(STEP)),
    }
}

/// Alone in its cache line, so that two threads that charge different kinds do not wait for each other.
#[derive(Default)]
#[repr(align(64))]
struct Held(AtomicUsize);

/// The account of the whole server.
pub(crate) struct Account {
    held: [Held; KINDS],
    /// Whether `limits.memory` is nearly used up.
    is_scarce: AtomicBool,
    memory: Bound,
    received: Bound,
    output: Bound,
    logs: usize,
    /// The most that was held since memory was last given back to the system.
    peak: AtomicUsize,
    /// How many connections share it.
    connections: AtomicUsize,
    /// Wakes the relief task.
    relief: Notify,
    /// Connections that are not read from because memory is scarce.
    paused: Mutex<Vec<Weak<Received>>>,
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

    /// Without bounds.
    #[cfg(any(fuzzing, test))]
    pub(crate) fn unbounded() -> Arc<Self> {
        let limits = LimitsConfig { memory: 0, received_bytes: 0, queued_bytes_total: 0, ..LimitsConfig::default() };
        Self::new(&limits, usize::MAX)
    }

    /// Replaces the bounds that may change while the server runs.
    pub(super) fn rebound(&self, limits: &LimitsConfig) {
        self.memory.set(limits.memory);
        self.received.set(received_bytes(limits));
        self.output.set(limits.queued_bytes_total);
        self.compare();
        self.resume();
    }

    /// Bytes held for this.
    pub(super) fn held(&self, kind: Kind) -> usize {
        self.held[kind as usize].0.load(Relaxed)
    }

    /// Bytes held for each kind.
    pub(super) fn by_kind(&self) -> impl Iterator<Item = (Kind, usize)> {
        Kind::ALL.into_iter().map(|kind| (kind, self.held(kind)))
    }

    /// Bytes held in all.
    pub(super) fn total(&self) -> usize {
        self.by_kind().map(|(_, bytes)| bytes).sum()
    }

    /// Whether `limits.memory` is nearly used up.
    pub(super) fn is_scarce(&self) -> bool {
        self.is_scarce.load(Relaxed)
    }

    /// Whether `limits.memory` is used up.
    pub(crate) fn is_full(&self) -> bool {
        self.is_scarce() && self.total() > self.memory.get()
    }

    /// Whether queues hold more than `limits.queued-bytes-total`, or memory is scarce.
    pub(super) fn is_output_excessive(&self) -> bool {
        self.is_scarce() || self.held(Kind::Output) > self.output.get()
    }

    /// Whether recovery logs hold more than they may, so that some must be given up.
    pub(super) fn are_logs_excessive(&self) -> bool {
        // Where they are little of what is held, giving them up would help nobody.
        self.held(Kind::Logs) > self.logs || (self.is_scarce() && self.held(Kind::Logs) > self.memory.get() / 16)
    }

    /// Whether sockets that are away must be given up: for their logs, or for what they keep of their handshakes.
    pub(super) fn are_away_excessive(&self) -> bool {
        self.are_logs_excessive() || self.held(Kind::Handshakes) > self.logs
    }

    /// What one connection may hold where there is not enough for all. Where memory is scarce because of connections,
    /// some of them hold more.
    pub(super) fn equal_share(&self) -> usize {
        self.memory.get() / 4 * 3 / self.connections.load(Relaxed).max(1)
    }

    /// What may wait for one slow client where too much waits for all.
    pub(super) fn equal_share_of_output(&self) -> usize {
        self.output.get().min(self.memory.get()) / self.connections.load(Relaxed).max(1)
    }

    /// Whether an HTTP body of which `held` bytes are charged may have `more`.
    pub(crate) fn takes_body(&self, held: usize, more: usize) -> bool {
        held + more <= SMALL_BODY || (!self.is_scarce() && self.held(Kind::Http) + more <= self.memory.get() / 4)
    }

    /// How large a polling client's next body may be, where it may be as large as `most`.
    pub(super) fn body_size(&self, most: usize) -> usize {
        if self.takes_body(0, most) { most } else { most.min(SMALL_BODY) }
    }

    fn add(&self, kind: Kind, bytes: usize) {
        let before = self.held[kind as usize].0.fetch_add(bytes, Relaxed);
        if before / STEP != (before + bytes) / STEP {
            self.compare();
        }
    }

    fn subtract(&self, kind: Kind, bytes: usize) {
        let before = self.held[kind as usize].0.fetch_sub(bytes, Relaxed);
        if before / STEP != before.saturating_sub(bytes) / STEP {
            self.compare();
        }
    }

    /// Compares what is held with the bounds.
    pub(super) fn compare(&self) {
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

    /// Whether so much less is held than before that memory is worth giving back to the system. Then that is expected
    /// to happen.
    pub(super) fn should_trim(&self) -> bool {
        let (total, peak) = (self.total(), self.peak.load(Relaxed));
        let should = peak > TRIM && total < peak / 2;
        if should {
            self.peak.store(total, Relaxed);
        }
        should
    }

    /// Done when there is something for the relief task to do.
    pub(super) async fn needs_relief(&self) {
        self.relief.notified().await;
    }

    /// Wakes the connections that are not read from because memory was scarce.
    fn resume(&self) {
        let paused = std::mem::take(&mut *self.paused.lock());
        for received in paused.iter().filter_map(Weak::upgrade) {
            received.is_paused.store(false, SeqCst);
            received.wake();
        }
    }
}

/// A connection that has its share of the account, until it is dropped.
pub(super) struct Share(Arc<Account>);

impl Share {
    pub(super) fn new(account: &Arc<Account>) -> Self {
        account.connections.fetch_add(1, Relaxed);
        Self(account.clone())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
