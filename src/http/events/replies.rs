//! Stores the replies to requests with an `idempotencyKey`, for retries. They are in memory; at a restart they are handed
//! over to the next process.

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
    model::{Timestamp, checked_name},
    restart::SavedReply,
};

/// How long a retry is recognised.
const WINDOW: Duration = Duration::from_hours(24);
/// Maximal bytes of all replies. The least recently used ones are evicted.
const BYTES: u64 = 64_000_000;
/// Bytes of a reply or an acknowledgement beside its arguments.
const OVERHEAD: usize = 256;

/// The identity of an event that must be emitted once.
pub(super) struct Once {
    pub(super) key: String,
    /// The digest of the whole event.
    digest: [u8; 32],
}

/// The stored replies, and entries for requests that are being processed.
#[derive(Clone)]
pub(crate) struct Replies(Cache<(String, String), Arc<Entry>>);

/// An entry for one `idempotencyKey`. The request that holds its lock emits the event.
struct Entry {
    stored: Arc<Mutex<Option<StoredReply>>>,
    bytes: AtomicU32,
}

/// The reply to an earlier request, with the digest of its event.
struct StoredReply {
    at: Timestamp,
    digest: [u8; 32],
    emitted: Arc<Emitted>,
}

/// The locked entries of one request.
pub(super) struct Reservations<'a> {
    replies: &'a Replies,
    caller: &'a str,
    held: BTreeMap<&'a str, (Arc<Entry>, OwnedMutexGuard<Option<StoredReply>>)>,
}

impl Once {
    /// `None` if the event has no `idempotencyKey`.
    pub(super) fn of(event: &Event) -> Result<Option<Self>> {
        let Some(key) = &event.idempotency_key else { return Ok(None) };
        checked_name("an idempotencyKey", key).map_err(Error::BadPayload)?;
        let text = serde_json::to_vec(event).map_err(|error| Error::internal("the event could not be read", error))?;
        Ok(Some(Self { key: key.clone(), digest: Sha256::digest(text).into() }))
    }
}

impl Default for Replies {
    fn default() -> Self {
        let weight = |(caller, key): &(String, String), entry: &Arc<Entry>| {
            entry.bytes.load(Ordering::Relaxed).saturating_add((caller.len() + key.len() + OVERHEAD) as u32)
        };
        let cache = Cache::builder().max_capacity(BYTES).weigher(weight).eviction_policy(EvictionPolicy::lru());
        Self(cache.time_to_live(WINDOW).build())
    }
}

impl<'a> Reservations<'a> {
    /// Waits until no other request with one of these keys is being processed, and locks their entries. `conflict` if a
    /// key was used for another event.
    pub(super) async fn take(
        replies: &'a Replies,
        caller: &'a str,
        all: impl Iterator<Item = &'a Once>,
    ) -> Result<Self> {
        // Locked in the order of the keys, so that two requests cannot deadlock.
        let all: BTreeMap<&str, &Once> = all.map(|once| (once.key.as_str(), once)).collect();
        let mut held = BTreeMap::new();
        for (key, once) in all {
            let entry = replies.0.get_with((caller.to_owned(), key.to_owned()), Arc::default);
            let stored = entry.stored.clone().lock_owned().await;
            if stored.as_ref().is_some_and(|stored| stored.digest != once.digest) {
                return Err(Error::Conflict(format!("the idempotencyKey {key:?} was used for another event")));
            }
            held.insert(key, (entry, stored));
        }
        Ok(Self { replies, caller, held })
    }

    /// The stored reply, if there was an earlier request with this key.
    pub(super) fn earlier(&self, once: &Once) -> Option<Arc<Emitted>> {
        let (_, stored) = self.held.get(once.key.as_str())?;
        stored.as_ref().map(|stored| stored.emitted.clone())
    }

    /// Stores a reply for retries.
    pub(super) fn keep(&mut self, once: &'a Once, emitted: &Arc<Emitted>) {
        let Some((entry, stored)) = self.held.get_mut(once.key.as_str()) else { return };
        **stored = Some(StoredReply { at: Timestamp::now(), digest: once.digest, emitted: emitted.clone() });
        entry.bytes.store(emitted.bytes(), Ordering::Relaxed);
        // The cache computes an entry's weight only when the entry is inserted.
        self.replies.0.insert((self.caller.to_owned(), once.key.clone()), entry.clone());
    }
}

impl Replies {
    /// The replies, for the next process. Without those of requests that are being processed.
    pub(crate) fn saved(&self) -> Vec<SavedReply> {
        let saved = |((caller, key), entry): ((String, String), Arc<Entry>)| {
            let stored = entry.stored.try_lock().ok()?;
            let StoredReply { at, digest, emitted } = stored.as_ref()?;
            let json = serde_json::to_string(emitted).ok()?;
            Some(SavedReply { caller, key, replied_at: at.as_millis(), digest: *digest, json })
        };
        let owned = |(names, entry): (Arc<(String, String)>, Arc<Entry>)| ((*names).clone(), entry);
        self.0.iter().map(owned).filter_map(saved).collect()
    }

    /// Takes up the replies of an earlier process. Those that are too old or cannot be read are left out.
    pub(crate) fn restore(&self, saved: Vec<SavedReply>) {
        let now = Timestamp::now().as_millis();
        for SavedReply { caller, key, replied_at, digest, json } in saved {
            let is_recent = now.saturating_sub(replied_at) < WINDOW.as_millis() as u64;
            let Some(emitted) = serde_json::from_str::<Emitted>(&json).ok().filter(|_| is_recent) else { continue };
            let bytes = AtomicU32::new(emitted.bytes());
            let stored = StoredReply { at: Timestamp::from_millis(replied_at), digest, emitted: Arc::new(emitted) };
            self.0.insert((caller, key), Arc::new(Entry { stored: Arc::new(Mutex::new(Some(stored))), bytes }));
        }
    }
}

impl Default for Entry {
    fn default() -> Self {
        Self { stored: Arc::default(), bytes: AtomicU32::new(0) }
    }
}

impl Emitted {
    /// The approximate size in memory.
    fn bytes(&self) -> u32 {
        let answers = self.answers.iter().flatten().map(|answer| {
            let arguments = answer.data.iter().chain(answer.args.iter().flatten());
            OVERHEAD + arguments.map(|argument| argument.get().len()).sum::<usize>()
        });
        answers.sum::<usize>().try_into().unwrap_or(u32::MAX)
    }
}
