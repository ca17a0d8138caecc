//! The rate limit of the HTTP API (`api.requests-per-second`), a token bucket for each user.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use governor::{DefaultDirectRateLimiter, Quota};
use moka::{policy::EvictionPolicy, sync::Cache};

use super::{bucket, network, wait};
use crate::{auth::Identity, model::UserId};

/// Buckets that are kept, at most; the least recently used ones go first.
const USERS_MAX: u64 = 10_000;
/// After this time without a request every bucket is full again.
const FULL_AGAIN: Duration = Duration::from_secs(2);

/// The rate limit of the HTTP API: a token bucket for each user.
#[derive(Debug)]
pub struct Requests(ArcSwap<Option<Buckets>>);

#[derive(Debug)]
struct Buckets {
    quota: Quota,
    by_user: Cache<Asker, Arc<DefaultDirectRateLimiter>>,
}

/// The key of a bucket.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Asker {
    /// An authenticated user.
    User(UserId),
    /// An unauthenticated client, by address.
    Address(Option<IpAddr>),
}

impl Requests {
    /// `api.requests-per-second`; 0 means no limit.
    pub fn new(per_second: u32) -> Self {
        Self(ArcSwap::from_pointee(Buckets::new(per_second)))
    }

    /// Changes the rate. All buckets are full again.
    pub(crate) fn replace(&self, per_second: u32) {
        self.0.store(Arc::new(Buckets::new(per_second)));
    }

    /// How long to wait before the next request; `None` where it may come now.
    pub fn wait(&self, who: &Identity, address: Option<IpAddr>) -> Option<Duration> {
        let buckets = self.0.load();
        let Buckets { quota, by_user } = (**buckets).as_ref()?;
        // Without a token, a client could name another user each time.
        let asker = match who.expires_at {
            Some(_) => Asker::User(who.user.id.clone()),
            None => Asker::Address(address.map(network)),
        };
        wait(&by_user.get_with(asker, || Arc::new(bucket(*quota))))
    }
}

impl Buckets {
    fn new(per_second: u32) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(per_second)?);
        let cache = Cache::builder().max_capacity(USERS_MAX).eviction_policy(EvictionPolicy::lru());
        Some(Self { quota, by_user: cache.time_to_idle(FULL_AGAIN).build() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{Auth, Credentials},
        config::Config,
        model::Timestamp,
    };

    #[test]
    fn proven_users_have_buckets_of_their_own_and_others_share_their_address_one() {
        let auth = Auth::new(&Config::default()).unwrap();
        let claimed =
            |name: &str| auth.authenticate(&Credentials { name: Some(name.to_owned()), ..Default::default() }).unwrap();
        let user = |name: &str| Identity { expires_at: Some(Timestamp::now()), ..claimed(name) };
        let guest = || auth.authenticate(&Credentials::default()).unwrap();
        let requests = Requests::new(1);
        let (here, there) = (Some([192, 0, 2, 1].into()), Some([192, 0, 2, 2].into()));
        assert_eq!(requests.wait(&user("ada"), here), None);
        assert!(requests.wait(&user("ada"), there).is_some_and(|wait| wait <= Duration::from_secs(1)));
        assert_eq!(requests.wait(&user("bob"), here), None);
        assert_eq!(requests.wait(&guest(), here), None);
        assert!(requests.wait(&guest(), here).is_some(), "another guest, from the same address");
        assert!(requests.wait(&claimed("cy"), here).is_some(), "and one who says to be somebody");
        assert_eq!(requests.wait(&guest(), there), None);
        requests.replace(0);
        assert_eq!(requests.wait(&user("ada"), here), None, "no limit");
    }
}
