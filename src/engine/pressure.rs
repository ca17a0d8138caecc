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

use std::{
    sync::{
        Arc, Weak,
        atomic::{
            AtomicBool, AtomicU8, AtomicU32, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Bound;
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
fn received(limits: &LimitsConfig) -> usize {
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
            received: Bound::new(received(limits)),
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
        self.received.set(received(limits));
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

    /// Whether an HTTP body may have so many more bytes.
    pub(crate) fn takes_body(&self, bytes: usize) -> bool {
        bytes <= SMALL_BODY || (!self.is_scarce() && self.held(Kind::Http) + bytes <= self.memory.get() / 4)
    }

    /// How large a polling client's next body may be, where it may be as large as `most`.
    pub(super) fn body_size(&self, most: usize) -> usize {
        if self.takes_body(most) { most } else { most.min(SMALL_BODY) }
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
        if is_scarce || self.held(Kind::Logs) > self.logs || self.held(Kind::Handshakes) > self.logs {
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

/// Bytes that are held, until it is dropped.
pub(crate) struct Charge {
    account: Arc<Account>,
    kind: Kind,
    bytes: usize,
}

impl Charge {
    /// Charges the account.
    pub(crate) fn new(account: &Arc<Account>, kind: Kind, bytes: usize) -> Self {
        account.add(kind, bytes);
        Self { account: account.clone(), kind, bytes }
    }

    /// What it is charged to.
    pub(super) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// How much it is.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes it more or less.
    pub(crate) fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.account.add(self.kind, bytes - self.bytes);
        } else if bytes < self.bytes {
            self.account.subtract(self.kind, self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    /// These bytes, which hold the charge as long as anybody holds them.
    pub(crate) fn hold(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(HeldBytes { bytes, _charge: self })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.subtract(self.kind, self.bytes);
    }
}

struct HeldBytes {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The charge of a packet. It counts as output while a queue holds it, and as part of the logs when only logs do.
pub(super) struct PacketCharge {
    account: Arc<Account>,
    bytes: AtomicU32,
    /// How many queues hold it.
    queues: AtomicU32,
    kind: AtomicU8,
}

impl PacketCharge {
    pub(super) fn new(account: &Arc<Account>, bytes: usize) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        account.add(Kind::Output, bytes as usize);
        let (kind, queues) = (AtomicU8::new(Kind::Output as u8), AtomicU32::new(0));
        Self { account: account.clone(), bytes: AtomicU32::new(bytes), queues, kind }
    }

    /// The packet has been written in another form, too.
    pub(super) fn grow(&self, bytes: usize) {
        let before = self.bytes();
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(u32::MAX - before as u32);
        self.account.add(self.kind(), bytes as usize);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Relaxed) as usize
    }

    /// A queue holds it.
    pub(super) fn queued(&self) {
        if self.queues.fetch_add(1, Relaxed) == 0 {
            self.becomes(Kind::Output);
        }
    }

    /// A queue holds it no longer; `is_last`: nor does anything else.
    pub(super) fn unqueued(&self, is_last: bool) {
        if self.queues.fetch_sub(1, Relaxed) == 1 && !is_last {
            self.becomes(Kind::Logs);
        }
    }

    /// A log holds it.
    pub(super) fn logged(&self) {
        if self.queues.load(Relaxed) == 0 {
            self.becomes(Kind::Logs);
        }
    }

    fn kind(&self) -> Kind {
        if self.kind.load(Relaxed) == Kind::Logs as u8 { Kind::Logs } else { Kind::Output }
    }

    fn becomes(&self, kind: Kind) {
        // Two threads that disagree leave it at one of the two; the sum is right whichever that is.
        if self.kind.load(Relaxed) == kind as u8 || self.kind.swap(kind as u8, Relaxed) == kind as u8 {
            return;
        }
        let (bytes, other) = (self.bytes(), if kind == Kind::Logs { Kind::Output } else { Kind::Logs });
        self.account.add(kind, bytes);
        self.account.subtract(other, bytes);
    }
}

impl Drop for PacketCharge {
    fn drop(&mut self) {
        self.account.subtract(self.kind(), self.bytes());
    }
}

/// The part of the account that is one connection's input: unfinished messages, and events that are not answered.
pub(crate) struct Received {
    account: Arc<Account>,
    bytes: AtomicUsize,
    /// Whoever waits until the connection may be read from again.
    readers: Mutex<Vec<Waker>>,
    has_readers: AtomicBool,
    /// It is in the account's list.
    is_paused: AtomicBool,
}

impl Received {
    /// Of a new connection.
    pub(super) fn new(account: &Arc<Account>) -> Arc<Self> {
        Arc::new(Self {
            account: account.clone(),
            bytes: AtomicUsize::new(0),
            readers: Mutex::default(),
            has_readers: AtomicBool::new(false),
            is_paused: AtomicBool::new(false),
        })
    }

    /// Bytes that are held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Whether it holds more than an equal share.
    fn is_above_share(&self) -> bool {
        self.bytes() > self.account.equal_share()
    }

    /// Whether the connection may be read from.
    pub(super) fn has_room(&self) -> bool {
        let bytes = self.bytes.load(SeqCst);
        bytes <= self.account.received.get() && !(self.account.is_scarce() && self.is_above_share())
    }

    /// [`Self::has_room`]; if not, whoever asks is woken when there is.
    pub(super) fn poll_room(self: &Arc<Self>, cx: &Context<'_>) -> Poll<()> {
        if self.has_room() {
            return Poll::Ready(());
        }
        self.wait(cx);
        if !self.is_paused.swap(true, SeqCst) {
            self.account.paused.lock().push(Arc::downgrade(self));
        }
        // What was freed in the meantime woke nobody.
        if self.has_room() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whoever asks is woken by [`Self::wake`].
    pub(super) fn wait(&self, cx: &Context<'_>) {
        let mut readers = self.readers.lock();
        if !readers.iter().any(|reader| reader.will_wake(cx.waker())) {
            readers.push(cx.waker().clone());
        }
        self.has_readers.store(true, SeqCst);
    }

    /// Wakes whoever waits.
    pub(super) fn wake(&self) {
        if self.has_readers.swap(false, SeqCst) {
            let readers = std::mem::take(&mut *self.readers.lock());
            readers.into_iter().for_each(Waker::wake);
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

/// Bytes that a connection's input holds, until it is dropped. Made in the engine, it goes with an event to its socket
/// and its handler.
pub(crate) struct ReceivedCharge {
    received: Arc<Received>,
    kind: Kind,
    bytes: usize,
}

impl ReceivedCharge {
    /// Charges for input that is not complete.
    pub(super) fn input(received: &Arc<Received>) -> Self {
        Self { received: received.clone(), kind: Kind::Input, bytes: 0 }
    }

    /// Charges for what is kept of a handshake, or of CONNECT; `None` for little, which is part of a connection.
    pub(super) fn handshake(received: &Arc<Received>, bytes: usize) -> Option<Box<Self>> {
        (bytes > SMALL_HANDSHAKE).then(|| {
            let mut charge = Self { received: received.clone(), kind: Kind::Handshakes, bytes: 0 };
            charge.resize(bytes);
            Box::new(charge)
        })
    }

    /// Charges for an event of so many bytes, its attachments included.
    pub(super) fn event(received: &Arc<Received>, bytes: usize) -> Self {
        let mut charge = Self { received: received.clone(), kind: Kind::Events, bytes: 0 };
        charge.resize(bytes + EVENT_OVERHEAD);
        charge
    }

    /// Makes it more or less.
    pub(super) fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.received.bytes.fetch_add(bytes - self.bytes, Relaxed);
            self.received.account.add(self.kind, bytes - self.bytes);
        } else if bytes < self.bytes {
            // Before the look at who waits: whoever begins to wait looks at the bytes last.
            self.received.bytes.fetch_sub(self.bytes - bytes, SeqCst);
            self.received.account.subtract(self.kind, self.bytes - bytes);
            if self.received.has_readers.load(SeqCst) && self.received.has_room() {
                self.received.wake();
            }
        }
        self.bytes = bytes;
    }

    /// The event has become a write, which waits for its commit.
    pub(crate) fn becomes_write(&mut self) {
        self.received.account.add(Kind::Writes, self.bytes);
        self.received.account.subtract(self.kind, self.bytes);
        self.kind = Kind::Writes;
    }

    /// Whether the event must be refused: memory is used up, and its connection holds more than an equal share.
    pub(crate) fn is_refused(&self) -> bool {
        self.received.account.is_full() && self.received.is_above_share()
    }
}

impl Drop for ReceivedCharge {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests;
