//! Charges: each counts bytes in the account until it is dropped.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
};

use bytes::Bytes;

use super::{account::Account, kind::MemoryKind};

/// Counts bytes in the account until it is dropped.
pub(crate) struct Charge {
    account: Arc<Account>,
    kind: MemoryKind,
    bytes: usize,
}

impl Charge {
    /// Charges the account.
    pub(crate) fn new(account: &Arc<Account>, kind: MemoryKind, bytes: usize) -> Self {
        account.add(kind, bytes);
        Self { account: account.clone(), kind, bytes }
    }

    /// The account.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The number of bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes the number of bytes.
    pub(crate) fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.account.add(self.kind, bytes - self.bytes);
        } else if bytes < self.bytes {
            self.account.subtract(self.kind, self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    /// Attaches the charge to `bytes`: it is dropped with the last reference to them.
    pub(crate) fn hold(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(ChargedBytes { bytes, _charge: self })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.subtract(self.kind, self.bytes);
    }
}

struct ChargedBytes {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for ChargedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The charge of a packet. Its kind is `Output` while a queue holds the packet, and `Logs` when only logs do.
pub(in crate::engine) struct PacketCharge {
    account: Arc<Account>,
    bytes: AtomicU32,
    /// The number of queues that hold the packet.
    queues: AtomicU32,
    kind: AtomicU8,
}

impl PacketCharge {
    pub(in crate::engine) fn new(account: &Arc<Account>, bytes: usize) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        account.add(MemoryKind::Output, bytes as usize);
        let (kind, queues) = (AtomicU8::new(MemoryKind::Output as u8), AtomicU32::new(0));
        Self { account: account.clone(), bytes: AtomicU32::new(bytes), queues, kind }
    }

    /// Adds the bytes of another encoding of the packet.
    pub(in crate::engine) fn grow(&self, bytes: usize) {
        let before = self.bytes();
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(u32::MAX - before as u32);
        self.account.add(self.kind(), bytes as usize);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Relaxed) as usize
    }

    /// A queue has added the packet.
    pub(in crate::engine) fn queued(&self) {
        if self.queues.fetch_add(1, Relaxed) == 0 {
            self.becomes(MemoryKind::Output);
        }
    }

    /// A queue has removed the packet. `is_last` is true if nothing else holds the packet.
    pub(in crate::engine) fn unqueued(&self, is_last: bool) {
        if self.queues.fetch_sub(1, Relaxed) == 1 && !is_last {
            self.becomes(MemoryKind::Logs);
        }
    }

    /// A log has added the packet.
    pub(in crate::engine) fn logged(&self) {
        if self.queues.load(Relaxed) == 0 {
            self.becomes(MemoryKind::Logs);
        }
    }

    fn kind(&self) -> MemoryKind {
        if self.kind.load(Relaxed) == MemoryKind::Logs as u8 { MemoryKind::Logs } else { MemoryKind::Output }
    }

    fn becomes(&self, kind: MemoryKind) {
        // If two threads race, either kind may win. The sum over both kinds is right in any case.
        if self.kind.load(Relaxed) == kind as u8 || self.kind.swap(kind as u8, Relaxed) == kind as u8 {
            return;
        }
        let (bytes, other) =
            (self.bytes(), if kind == MemoryKind::Logs { MemoryKind::Output } else { MemoryKind::Logs });
        self.account.add(kind, bytes);
        self.account.subtract(other, bytes);
    }
}

impl Drop for PacketCharge {
    fn drop(&mut self) {
        self.account.subtract(self.kind(), self.bytes());
    }
}
