//! The memory that one connection's input holds, and whether the connection may be read from.

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
    account::{Account, Paused},
    kind::Kind,
};

/// Bytes of a handshake or an `auth` that are not charged.
const SMALL_HANDSHAKE: usize = 4 * 1024;
/// What an event costs beside its text: its place in the socket's queue, its handler's future, its answer.
const EVENT_OVERHEAD: usize = 512;

/// The input of one connection: incomplete messages, and events that are not answered yet.
pub(crate) struct Received {
    account: Arc<Account>,
    bytes: AtomicUsize,
    /// Tasks that wait until the connection may be read from again.
    readers: Mutex<Vec<Waker>>,
    has_readers: AtomicBool,
    /// It is in the account's list of paused connections.
    is_paused: AtomicBool,
}

impl Received {
    /// For a new connection.
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

    /// Whether it holds more than its equal share of the memory.
    fn is_above_share(&self) -> bool {
        self.bytes() > self.account.equal_share()
    }

    /// Whether the connection may be read from.
    pub(in crate::engine) fn has_room(&self) -> bool {
        let bytes = self.bytes.load(SeqCst);
        bytes <= self.account.received_max() && !(self.account.is_scarce() && self.is_above_share())
    }

    /// [`Self::has_room`]. Where not, the calling task is woken when there is.
    pub(in crate::engine) fn poll_room(self: &Arc<Self>, cx: &Context<'_>) -> Poll<()> {
        if self.has_room() {
            return Poll::Ready(());
        }
        self.wait(cx);
        if !self.is_paused.swap(true, SeqCst) {
            self.account.pause(Arc::downgrade(self) as _);
        }
        // Checked again: what was freed between the check and the wait woke nobody.
        if self.has_room() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Has the calling task woken by [`Self::wake`].
    pub(in crate::engine) fn wait(&self, cx: &Context<'_>) {
        let mut readers = self.readers.lock();
        if !readers.iter().any(|reader| reader.will_wake(cx.waker())) {
            readers.push(cx.waker().clone());
        }
        self.has_readers.store(true, SeqCst);
    }

    /// Wakes the tasks that wait.
    pub(in crate::engine) fn wake(&self) {
        if self.has_readers.swap(false, SeqCst) {
            let readers = std::mem::take(&mut *self.readers.lock());
            readers.into_iter().for_each(Waker::wake);
        }
    }
}

impl Paused for Received {
    fn resume(&self) {
        self.is_paused.store(false, SeqCst);
        self.wake();
    }
}

/// Bytes of one connection's input that the account counts until this is dropped. It goes with an event to its socket's
/// queue and its handler.
pub(crate) struct ReceivedCharge {
    received: Arc<Received>,
    kind: Kind,
    pub(super) bytes: usize,
}

impl ReceivedCharge {
    /// For incomplete input.
    pub(in crate::engine) fn input(received: &Arc<Received>) -> Self {
        Self { received: received.clone(), kind: Kind::Input, bytes: 0 }
    }

    /// For what is kept of a handshake or of CONNECT. `None` where it is short: then it is not charged.
    pub(in crate::engine) fn handshake(received: &Arc<Received>, bytes: usize) -> Option<Box<Self>> {
        (bytes > SMALL_HANDSHAKE).then(|| {
            let mut charge = Self { received: received.clone(), kind: Kind::Handshakes, bytes: 0 };
            charge.resize(bytes);
            Box::new(charge)
        })
    }

    /// For an event of so many bytes with its attachments.
    pub(in crate::engine) fn event(received: &Arc<Received>, bytes: usize) -> Self {
        let mut charge = Self { received: received.clone(), kind: Kind::Events, bytes: 0 };
        charge.resize(bytes + EVENT_OVERHEAD);
        charge
    }

    /// Changes how many bytes it is for.
    pub(in crate::engine) fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.received.bytes.fetch_add(bytes - self.bytes, Relaxed);
            self.received.account.add(self.kind, bytes - self.bytes);
        } else if bytes < self.bytes {
            // Before the check for tasks that wait: those check the bytes after they have begun to wait.
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

    /// Whether the event must be refused: memory is used up, and its connection holds more than its equal share.
    pub(crate) fn is_refused(&self) -> bool {
        self.received.account.is_full() && self.received.is_above_share()
    }
}

impl Drop for ReceivedCharge {
    fn drop(&mut self) {
        self.resize(0);
    }
}
