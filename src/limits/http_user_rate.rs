//! The rate limit of the HTTP API for users (`api.requests-per-second`), a token bucket for each. A backend's key has a
//! bucket of its own: `auth/api_keys.rs`.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use governor::{DefaultDirectRateLimiter, Quota};
use moka::{policy::EvictionPolicy, sync::Cache};

use super::{bucket, network, wait};
use crate::model::UserId;

/// Maximum number of buckets. Beyond it, the least recently used ones are dropped.
const USERS_MAX: u64 = 10_000;
/// Time after which an unused bucket is full again, and can be dropped.
const FULL_AGAIN: Duration = Duration::from_secs(2);

/// The rate limit of the HTTP API: a token bucket for each user.
#[derive(Debug)]
pub struct HttpUserRate(ArcSwap<Option<Buckets>>);

#[derive(Debug)]
struct Buckets {
    quota: Quota,
    by_caller: Cache<BucketKey, Arc<DefaultDirectRateLimiter>>,
}

/// The key of a bucket.
#[derive(Debug, PartialEq, Eq, Hash)]
enum BucketKey {
    /// An authenticated user.
    User(UserId),
    /// An unauthenticated client, by address.
    Address(Option<IpAddr>),
}

impl HttpUserRate {
    /// `api.requests-per-second`; 0 means no limit.
    pub fn new(per_second: u32) -> Self {
        Self(ArcSwap::from_pointee(Buckets::new(per_second)))
    }

    /// Changes the rate. All buckets are full again.
    pub(crate) fn replace(&self, per_second: u32) {
        self.0.store(Arc::new(Buckets::new(per_second)));
    }

    /// Takes a token for a request; if the bucket is empty, returns how long to wait for one.
    ///
    /// `user` must be authenticated by a token: without one, a client could name another user in each request.
    pub fn wait(&self, user: Option<&UserId>, address: Option<IpAddr>) -> Option<Duration> {
        let buckets = self.0.load();
        let Buckets { quota, by_caller } = (**buckets).as_ref()?;
        let key = user.map_or_else(|| BucketKey::Address(address.map(network)), |user| BucketKey::User(user.clone()));
        wait(&by_caller.get_with(key, || Arc::new(bucket(*quota))))
    }
}

impl Buckets {
    fn new(per_second: u32) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(per_second)?);
        let cache = Cache::builder().max_capacity(USERS_MAX).eviction_policy(EvictionPolicy::lru());
        Some(Self { quota, by_caller: cache.time_to_idle(FULL_AGAIN).build() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_with_a_token_have_buckets_of_their_own_and_others_share_that_of_their_address() {
        let user = |name: &str| UserId::parse(name).unwrap();
        let requests = HttpUserRate::new(1);
        let (here, there) = (Some([192, 0, 2, 1].into()), Some([192, 0, 2, 2].into()));
        assert_eq!(requests.wait(Some(&user("ada")), here), None);
        assert!(requests.wait(Some(&user("ada")), there).is_some_and(|wait| wait <= Duration::from_secs(1)));
        assert_eq!(requests.wait(Some(&user("bob")), here), None);
        assert_eq!(requests.wait(None, here), None);
        assert!(requests.wait(None, here).is_some(), "another one without a token, from the same address");
        assert_eq!(requests.wait(None, there), None);
        requests.replace(0);
        assert_eq!(requests.wait(Some(&user("ada")), here), None, "no limit");
    }
}
