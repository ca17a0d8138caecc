//! The rate limit of one connection's packets (`limits.events-per-second` with its burst), as a token bucket.
//!
//! An event without a token is refused. Any other packet is processed without a token, but then the next packet must
//! wait until there is a token for it: the server does not read from the connection meanwhile.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use governor::DefaultDirectRateLimiter;

use crate::limits::{self, Limits};

/// The token bucket of one connection.
#[derive(Default)]
pub(super) struct PacketRate {
    /// `None` if there is no limit. Created at the first packet.
    bucket: OnceLock<Option<DefaultDirectRateLimiter>>,
    /// Whether a packet was processed without a token, so that the next one must wait.
    owes: AtomicBool,
    /// Whether the next packet has waited and already has its token.
    has_paid: AtomicBool,
}

impl PacketRate {
    fn bucket(&self, limits: &Limits) -> Option<&DefaultDirectRateLimiter> {
        self.bucket.get_or_init(|| limits.bucket()).as_ref()
    }

    /// Takes a token for a packet. False if there is none.
    pub(super) fn take(&self, limits: &Limits) -> bool {
        self.bucket(limits).is_none_or(|bucket| self.has_paid.swap(false, Relaxed) || bucket.check().is_ok())
    }

    /// Takes a token for a packet that is processed in any case. If there is none, the next packet must wait for it.
    pub(super) fn take_or_owe(&self, limits: &Limits) {
        // The first packet takes no token, so that the whole burst is available after CONNECT.
        if self.bucket.get().is_none() {
            self.bucket(limits);
            return;
        }
        if !self.take(limits) {
            self.owes.store(true, Relaxed);
        }
    }

    /// Whether the next packet must wait.
    pub(super) fn owes(&self) -> bool {
        self.owes.load(Relaxed)
    }

    /// Takes two tokens: one for the packet that was processed without a token, and one for the next packet, which
    /// waits. The second is needed because the next packet may be an event, and must not be refused because of the
    /// packet before it. Returns how long to wait before the next attempt, or `None` when both tokens are taken.
    pub(super) fn pay(&self, limits: &Limits) -> Option<Duration> {
        while self.owes() {
            match self.bucket(limits).and_then(limits::wait) {
                Some(wait) => return Some(wait),
                None if self.has_paid.swap(true, Relaxed) => self.owes.store(false, Relaxed),
                None => {}
            }
        }
        None
    }
}
