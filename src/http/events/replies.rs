//! Replies to requests with an `idempotencyKey`, kept for retries: in memory, so a restart forgets them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use moka::{policy::EvictionPolicy, sync::Cache};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Emitted, Event};
use crate::{
    error::{Error, Result},
    model::checked_name,
};

/// How long a retry is recognised.
const WINDOW: Duration = Duration::from_hours(24);
/// Bytes of all replies; the least recently used ones are evicted.
const BYTES: u64 = 64_000_000;
/// Bytes of a reply beside its answers.
const OVERHEAD: usize = 256;

/// Identifies an event that must be emitted once.
pub(super) struct Once {
    pub(super) key: String,
    /// The digest of the whole event.
    digest: [u8; 32],
}

/// The replies that were given, and entries for those under way.
#[derive(Clone)]
pub(super) struct Replies(Cache<(String, String), Arc<Place>>);

/// The entry of a reply. The request that holds its lock emits the event.
struct Place {
    kept: Arc<Mutex<Option<Kept>>>,
    bytes: AtomicU32,
}

struct Kept {
    digest: [u8; 32],
    emitted: Arc<Emitted>,
}

/// The locked entries of one request.
pub(super) struct Reservations<'a> {
    replies: &'a Replies,
    caller: &'a str,
    held: BTreeMap<&'a str, (Arc<Place>, OwnedMutexGuard<Option<Kept>>)>,
}

impl Once {
    /// `None` where the event has no `idempotencyKey`.
    pub(super) fn of(event: &Event) -> Result<Option<Self>> {
        let Some(key) = &event.idempotency_key else { return Ok(None) };
        checked_name("an idempotencyKey", key).map_err(Error::BadPayload)?;
        let text = serde_json::to_vec(event).map_err(|error| Error::internal("the event could not be read", error))?;
        Ok(Some(Self { key: key.clone(), digest: Sha256::digest(text).into() }))
    }
}

impl Default for Replies {
    fn default() -> Self {
        let weight = |(caller, key): &(String, String), place: &Arc<Place>| {
            place.bytes.load(Ordering::Relaxed).saturating_add((caller.len() + key.len() + OVERHEAD) as u32)
        };
        let cache = Cache::builder().max_capacity(BYTES).weigher(weight).eviction_policy(EvictionPolicy::lru());
        Self(cache.time_to_live(WINDOW).build())
    }
}

impl<'a> Reservations<'a> {
    /// Waits until no other request with one of these keys is under way. `conflict` where one of them stands for
    /// another event.
    pub(super) async fn take(
        replies: &'a Replies,
        caller: &'a str,
        all: impl Iterator<Item = &'a Once>,
    ) -> Result<Self> {
        // Locked in the order of the keys, so that no two requests wait for each other.
        let all: BTreeMap<&str, &Once> = all.map(|once| (once.key.as_str(), once)).collect();
        let mut held = BTreeMap::new();
        for (key, once) in all {
            let place = replies.0.get_with((caller.to_owned(), key.to_owned()), Arc::default);
            let kept = place.kept.clone().lock_owned().await;
            if kept.as_ref().is_some_and(|kept| kept.digest != once.digest) {
                return Err(Error::Conflict(format!("the idempotencyKey {key:?} was used for another event")));
            }
            held.insert(key, (place, kept));
        }
        Ok(Self { replies, caller, held })
    }

    /// The reply to the earlier request with this key, if there was one.
    pub(super) fn earlier(&self, once: &Once) -> Option<Arc<Emitted>> {
        let (_, kept) = self.held.get(once.key.as_str())?;
        kept.as_ref().map(|kept| kept.emitted.clone())
    }

    /// Keeps a reply for retries.
    pub(super) fn keep(&mut self, once: &'a Once, emitted: &Arc<Emitted>) {
        let Some((place, kept)) = self.held.get_mut(once.key.as_str()) else { return };
        **kept = Some(Kept { digest: once.digest, emitted: emitted.clone() });
        place.bytes.store(emitted.bytes(), Ordering::Relaxed);
        // Inserted again, so that the cache learns its weight.
        self.replies.0.insert((self.caller.to_owned(), once.key.clone()), place.clone());
    }
}

impl Default for Place {
    fn default() -> Self {
        Self { kept: Arc::default(), bytes: AtomicU32::new(0) }
    }
}

impl Emitted {
    /// Its size in memory, roughly.
    fn bytes(&self) -> u32 {
        let answers = self.answers.iter().flatten().map(|answer| {
            let arguments = answer.data.iter().chain(answer.args.iter().flatten());
            OVERHEAD + arguments.map(|argument| argument.get().len()).sum::<usize>()
        });
        answers.sum::<usize>().try_into().unwrap_or(u32::MAX)
    }
}
