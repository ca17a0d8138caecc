//! Counts the memory that one connection's input holds, and decides whether the server may read from the connection.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use super::{
    account::{Account, PausedInput},
    kind::MemoryKind,
};

/// Bytes of a handshake or an `auth` that are not charged.
const SMALL_HANDSHAKE: usize = 4 * 1024;
/// Bytes that an event costs in addition to its text: its entry in the socket's queue, its handler's future, its
/// answer.
const EVENT_OVERHEAD: usize = 512;

/// Counts the input of one connection: incomplete messages, and unanswered events.
pub(crate) struct ReceivedBytes {
    account: Arc<Account>,
    bytes: AtomicUsize,
    /// Tasks that wait until the server may read from the connection again.
    readers: Mutex<Vec<Waker>>,
    has_readers: AtomicBool,
    /// Whether this is in the account's list of paused inputs.
    is_paused: AtomicBool,
}

impl ReceivedBytes {
    /// The counter of a new connection.
    pub(in crate::engine) fn new(account: &Arc<Account>) -> Arc<Self> {
        Arc::new(Self {
            account: account.clone(),
            bytes: AtomicUsize::new(0),
            readers: Mutex::default(),
            has_readers: AtomicBool::new(false),
            is_paused: AtomicBool::new(false),
        })
    }

    /// Bytes that are held.
    pub(in crate::engine) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Whether the connection's input holds more than an equal share of the memory.
    fn is_above_share(&self) -> bool {
        self.bytes() > self.account.equal_share()
    }

    /// Whether the server may read from the connection.
    pub(in crate::engine) fn has_room(&self) -> bool {
        let bytes = self.bytes.load(SeqCst);
        bytes <= self.account.received_max() && bytes <= self.account.readable_share()
    }

    /// Ready if [`Self::has_room`]. Otherwise the calling task is woken when there is room.
    pub(in crate::engine) fn poll_room(self: &Arc<Self>, cx: &Context<'_>) -> Poll<()> {
        if self.has_room() {
            return Poll::Ready(());
        }
        self.wait(cx);
        if !self.is_paused.swap(true, SeqCst) {
            self.account.pause(Arc::downgrade(self) as _);
        }
        // Checked again: memory that was freed between the check and the wait woke no task.
        if self.has_room() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Registers the calling task, to be woken by [`Self::wake`].
    pub(in crate::engine) fn wait(&self, cx: &Context<'_>) {
        let mut readers = self.readers.lock();
        if !readers.iter().any(|reader| reader.will_wake(cx.waker())) {
            readers.push(cx.waker().clone());
        }
        self.has_readers.store(true, SeqCst);
    }

    /// Wakes the waiting tasks.
    pub(in crate::engine) fn wake(&self) {
        if self.has_readers.swap(false, SeqCst) {
            let readers = std::mem::take(&mut *self.readers.lock());
            readers.into_iter().for_each(Waker::wake);
        }
    }
}

impl PausedInput for ReceivedBytes {
    fn resume(&self) {
        self.is_paused.store(false, SeqCst);
        self.wake();
    }
}

/// Counts bytes of one connection's input, in [`ReceivedBytes`] and in the account, until it is dropped. The charge of
/// an event moves with the event to the socket's queue and to the handler.
pub(crate) struct ReceivedCharge {
    received: Arc<ReceivedBytes>,
    kind: MemoryKind,
    pub(super) bytes: usize,
}

impl ReceivedCharge {
    /// A charge for incomplete input, of 0 bytes at first.
    pub(in crate::engine) fn input(received: &Arc<ReceivedBytes>) -> Self {
        Self { received: received.clone(), kind: MemoryKind::Input, bytes: 0 }
    }

    /// A charge for the stored part of a handshake or CONNECT. `None` if it is too short to be charged.
    pub(in crate::engine) fn handshake(received: &Arc<ReceivedBytes>, bytes: usize) -> Option<Box<Self>> {
        (bytes > SMALL_HANDSHAKE).then(|| {
            let mut charge = Self { received: received.clone(), kind: MemoryKind::Handshakes, bytes: 0 };
            charge.resize(bytes);
            Box::new(charge)
        })
    }

    /// A charge for an event. `bytes` include its attachments.
    pub(in crate::engine) fn event(received: &Arc<ReceivedBytes>, bytes: usize) -> Self {
        let mut charge = Self { received: received.clone(), kind: MemoryKind::Events, bytes: 0 };
        charge.resize(bytes + EVENT_OVERHEAD);
        charge
    }

    /// Changes the number of bytes.
    pub(in crate::engine) fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.received.bytes.fetch_add(bytes - self.bytes, Relaxed);
            self.received.account.add(self.kind, bytes - self.bytes);
        } else if bytes < self.bytes {
            // The bytes are subtracted before `has_readers` is read, and a task checks the bytes again after it has
            // registered. So no wake-up is lost.
            self.received.bytes.fetch_sub(self.bytes - bytes, SeqCst);
            self.received.account.subtract(self.kind, self.bytes - bytes);
            if self.received.has_readers.load(SeqCst) && self.received.has_room() {
                self.received.wake();
            }
        }
        self.bytes = bytes;
    }

    /// Changes the kind to `Writes`: the event has become a write that waits for its commit.
    pub(crate) fn becomes_write(&mut self) {
        self.received.account.add(MemoryKind::Writes, self.bytes);
        self.received.account.subtract(self.kind, self.bytes);
        self.kind = MemoryKind::Writes;
    }

    /// Whether the event must be refused: `limits.memory` is used up, and the connection holds more than an equal
    /// share.
    pub(crate) fn is_refused(&self) -> bool {
        self.received.account.is_full() && self.received.is_above_share()
    }
}

impl Drop for ReceivedCharge {
    fn drop(&mut self) {
        self.resize(0);
    }
}
