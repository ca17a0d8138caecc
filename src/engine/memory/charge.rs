//! Charges: bytes that the account counts until the charge is dropped.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
};

use bytes::Bytes;

use super::{account::Account, kind::Kind};

/// Bytes that the account counts until this is dropped.
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

    /// The account.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// How many bytes it is for.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes how many bytes it is for.
    pub(crate) fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.account.add(self.kind, bytes - self.bytes);
        } else if bytes < self.bytes {
            self.account.subtract(self.kind, self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    /// Bytes that hold this charge as long as they are held.
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

/// The charge of a packet: output while a queue holds the packet, and logs when only logs do.
pub(in crate::engine) struct PacketCharge {
    account: Arc<Account>,
    bytes: AtomicU32,
    /// How many queues hold the packet.
    queues: AtomicU32,
    kind: AtomicU8,
}

impl PacketCharge {
    pub(in crate::engine) fn new(account: &Arc<Account>, bytes: usize) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        account.add(Kind::Output, bytes as usize);
        let (kind, queues) = (AtomicU8::new(Kind::Output as u8), AtomicU32::new(0));
        Self { account: account.clone(), bytes: AtomicU32::new(bytes), queues, kind }
    }

    /// The packet has another form now.
    pub(in crate::engine) fn grow(&self, bytes: usize) {
        let before = self.bytes();
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(u32::MAX - before as u32);
        self.account.add(self.kind(), bytes as usize);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Relaxed) as usize
    }

    /// A queue holds the packet.
    pub(in crate::engine) fn queued(&self) {
        if self.queues.fetch_add(1, Relaxed) == 0 {
            self.becomes(Kind::Output);
        }
    }

    /// A queue has let the packet go. `is_last`: nothing else holds it.
    pub(in crate::engine) fn unqueued(&self, is_last: bool) {
        if self.queues.fetch_sub(1, Relaxed) == 1 && !is_last {
            self.becomes(Kind::Logs);
        }
    }

    /// A log holds the packet.
    pub(in crate::engine) fn logged(&self) {
        if self.queues.load(Relaxed) == 0 {
            self.becomes(Kind::Logs);
        }
    }

    fn kind(&self) -> Kind {
        if self.kind.load(Relaxed) == Kind::Logs as u8 { Kind::Logs } else { Kind::Output }
    }

    fn becomes(&self, kind: Kind) {
        // Two threads that race leave it at one of the two kinds. The sum is right in both cases.
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
