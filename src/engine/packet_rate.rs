//! The rate limit of one connection's packets (`limits.events-per-second` with its burst), as a token bucket.
//!
//! An event without a token is refused. Any other packet is processed all the same, and the next packet waits until its
//! token is there: the connection is not read from meanwhile.

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
    /// `None` where there is no limit. Made for the first packet.
    bucket: OnceLock<Option<DefaultDirectRateLimiter>>,
    /// A packet was processed without a token. The next one waits for it.
    owes: AtomicBool,
    /// The next packet has waited and has its own token already.
    has_paid: AtomicBool,
}

impl PacketRate {
    fn bucket(&self, limits: &Limits) -> Option<&DefaultDirectRateLimiter> {
        self.bucket.get_or_init(|| limits.bucket()).as_ref()
    }

    /// Takes a token for a packet. False where there is none.
    pub(super) fn take(&self, limits: &Limits) -> bool {
        self.bucket(limits).is_none_or(|bucket| self.has_paid.swap(false, Relaxed) || bucket.check().is_ok())
    }

    /// Takes a token for a packet that is processed in any case: where there is none, the next packet waits for it.
    pub(super) fn take_or_owe(&self, limits: &Limits) {
        // The first packet takes none, so that after CONNECT there are as many tokens as the limit says.
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

    /// Pays for the packet that owed its token, and then for the one that waited because of it: that one may be an
    /// event, which must not be refused for what came before it. Returns how long to wait before the next attempt;
    /// `None` when both are paid.
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
