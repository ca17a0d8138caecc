//! Limits on sockets and connections: seats in all, per user and per address; and token buckets.

mod http_user_rate;

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, LazyLock},
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use parking_lot::Mutex;

pub use http_user_rate::HttpUserRate;

use crate::{
    config::LimitsConfig,
    error::{Error, Result},
    metrics::Metrics,
    model::UserId,
};

/// Headroom for pending connections, so that excess clients get CONNECT_ERROR instead of a refused TCP connection.
pub(crate) const REFUSED: usize = 100;

/// Counts sockets and pending connections.
pub struct Limits {
    config: ArcSwap<LimitsConfig>,
    metrics: Metrics,
    taken: Mutex<TakenSeats>,
}

/// The number of seats that are taken.
#[derive(Default)]
struct TakenSeats {
    all: usize,
    by_user: HashMap<UserId, usize>,
    by_address: HashMap<IpAddr, usize>,
    pending: usize,
    pending_by_address: HashMap<IpAddr, usize>,
}

/// The seat of a pending connection, which has joined no namespace yet. Dropping it frees the seat.
pub struct PendingSeat {
    limits: Arc<Limits>,
    address: Option<IpAddr>,
}

/// The seat of a socket. Dropping it frees the seat.
pub struct Seat {
    limits: Arc<Limits>,
    user: UserId,
    address: Option<IpAddr>,
}

impl Limits {
    /// Limits with all seats free.
    pub fn new(config: LimitsConfig, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self { config: ArcSwap::from_pointee(config), metrics, taken: Mutex::default() })
    }

    /// The current settings.
    pub fn config(&self) -> Guard<Arc<LimitsConfig>> {
        self.config.load()
    }

    /// Replaces the settings. Connections keep their buckets, and seats that are taken stay taken.
    pub(crate) fn replace(&self, config: LimitsConfig) {
        self.config.store(Arc::new(config));
    }

    /// Takes a seat for a socket. The error names the limit that is reached.
    pub fn admit(self: &Arc<Self>, user: &UserId, address: Option<IpAddr>) -> Result<Seat> {
        let (address, config) = (address.map(network), self.config());
        let mut taken = self.taken.lock();
        let of_user = taken.by_user.get(user).copied().unwrap_or(0);
        let of_address = address.and_then(|address| taken.by_address.get(&address).copied()).unwrap_or(0);
        if taken.all >= LimitsConfig::or_none(config.connections) {
            self.metrics.limited("connections");
            return Err(Error::unavailable("the server is full (limits.connections)"));
        }
        if of_user >= LimitsConfig::or_none(config.sockets_per_user) {
            self.metrics.limited("sockets-per-user");
            return Err(Error::RateLimited("too many sockets of this user (limits.sockets-per-user)".to_owned()));
        }
        if of_address >= LimitsConfig::or_none(config.sockets_per_address) {
            self.metrics.limited("sockets-per-address");
            return Err(Error::RateLimited(
                "too many sockets from this address (limits.sockets-per-address)".to_owned(),
            ));
        }
        taken.all += 1;
        *taken.by_user.entry(user.clone()).or_default() += 1;
        if let Some(address) = address {
            *taken.by_address.entry(address).or_default() += 1;
        }
        Ok(Seat { limits: self.clone(), user: user.clone(), address })
    }

    /// Takes a seat for a pending connection; `None` if all are taken.
    pub fn seat_pending(self: &Arc<Self>, address: Option<IpAddr>) -> Option<PendingSeat> {
        self.try_seat_pending(address).inspect_err(|limit| self.metrics.limited(limit)).ok()
    }

    /// As [`Self::seat_pending`], but the error is the name of the limit that is reached, and no metric counts it.
    pub(crate) fn try_seat_pending(self: &Arc<Self>, address: Option<IpAddr>) -> Result<PendingSeat, &'static str> {
        let (address, config) = (address.map(network), self.config());
        let mut taken = self.taken.lock();
        let of_address = address.and_then(|address| taken.pending_by_address.get(&address).copied()).unwrap_or(0);
        if taken.pending >= LimitsConfig::or_none(config.connections).saturating_add(REFUSED) {
            return Err("connections");
        }
        if of_address >= LimitsConfig::or_none(config.sockets_per_address).saturating_add(REFUSED) {
            return Err("sockets-per-address");
        }
        taken.pending += 1;
        if let Some(address) = address {
            *taken.pending_by_address.entry(address).or_default() += 1;
        }
        Ok(PendingSeat { limits: self.clone(), address })
    }

    /// A bucket for the events of one connection; `None` without a limit.
    pub fn bucket(&self) -> Option<DefaultDirectRateLimiter> {
        NonZeroU32::new(self.config().events_per_second).map(|events| bucket(Quota::per_second(events)))
    }
}

/// A full bucket. All buckets share one clock, since creating a clock takes 25 µs under a hypervisor (CPUID).
pub(crate) fn bucket(quota: Quota) -> DefaultDirectRateLimiter {
    static CLOCK: LazyLock<DefaultClock> = LazyLock::new(DefaultClock::default);
    RateLimiter::direct_with_clock(quota, CLOCK.clone())
}

/// Takes a token; if the bucket is empty, returns how long to wait for one.
pub(crate) fn wait(bucket: &DefaultDirectRateLimiter) -> Option<Duration> {
    bucket.check().err().map(|refused| refused.wait_time_from(bucket.clock().now()))
}

/// The key by which addresses are counted: IPv6 addresses by their /64 network, which belongs to one customer.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

impl Drop for PendingSeat {
    fn drop(&mut self) {
        let mut taken = self.limits.taken.lock();
        taken.pending -= 1;
        if let Some(address) = &self.address {
            one_less(&mut taken.pending_by_address, address);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.limits.taken.lock();
        taken.all -= 1;
        one_less(&mut taken.by_user, &self.user);
        if let Some(address) = &self.address {
            one_less(&mut taken.by_address, address);
        }
    }
}

pub(crate) fn one_less<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_come_back() {
        let config = LimitsConfig { sockets_per_user: 1, connections: 2, sockets_per_address: 0, ..Default::default() };
        let limits = Limits::new(config, Metrics::off());
        let (ada, bob, eve) = (id("ada"), id("bob"), id("eve"));
        let seat = limits.admit(&ada, None).unwrap();
        assert!(matches!(limits.admit(&ada, None), Err(Error::RateLimited(_))));
        let _other = limits.admit(&bob, None).unwrap();
        assert!(matches!(limits.admit(&eve, None), Err(Error::Unavailable(..))));
        drop(seat);
        assert!(limits.admit(&ada, None).is_ok());
    }

    fn id(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }
}
