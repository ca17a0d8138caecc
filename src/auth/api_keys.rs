//! API keys of backends. Keys are long and random, so their SHA-256 reveals nothing, and a lookup by hash leaks nothing
//! by its timing.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use governor::{DefaultDirectRateLimiter, Quota};
use rand::{Rng, distr::Alphanumeric};
use sha2::{Digest, Sha256};

use crate::{
    config::{Config, Scope},
    error::{Error, Result},
    limits::{bucket, wait},
    model::Timestamp,
};

/// Prefix of keys, by which scanners find a leaked one.
const PREFIX: &str = "sk_";
/// Random characters after the prefix: 40 of 62 are 238 bits.
const SECRET_LEN: usize = 40;

/// A key of a backend.
#[derive(Debug)]
pub struct Key {
    /// The name in the configuration.
    pub name: String,
    scopes: Vec<Scope>,
    expires_at: Option<Timestamp>,
    bucket: Option<DefaultDirectRateLimiter>,
}

impl Key {
    /// Checks a scope: `forbidden` if the key lacks it.
    pub fn may(&self, scope: Scope) -> Result<()> {
        if self.scopes.iter().any(|own| [scope, Scope::Everything].contains(own)) {
            return Ok(());
        }
        let scope = serde_json::to_value(scope).unwrap_or_default();
        Err(Error::Forbidden(format!("the key {:?} lacks the scope {scope}", self.name)))
    }

    /// Takes a token from the key's bucket; if the bucket is empty, returns how long to wait.
    pub fn wait(&self) -> Option<Duration> {
        wait(self.bucket.as_ref()?)
    }
}

/// All keys, by their hashes. They may be replaced at any time.
#[derive(Debug)]
pub struct Keys(ArcSwap<HashMap<[u8; 32], Arc<Key>>>);

impl Keys {
    /// From the configuration, whose hashes have been checked.
    pub fn new(config: &Config) -> Self {
        Self(ArcSwap::from_pointee(by_hash(config)))
    }

    /// Replaces the keys. All buckets are full again.
    pub fn replace(&self, config: &Config) {
        self.0.store(Arc::new(by_hash(config)));
    }

    /// Looks a key up: `unauthorized` if it is unknown or has expired.
    pub fn find(&self, key: &str) -> Result<Arc<Key>> {
        let found = self.0.load().get(&<[u8; 32]>::from(Sha256::digest(key))).cloned();
        let key = found.ok_or_else(|| Error::Unauthorized("this is no key of this server".to_owned()))?;
        if key.expires_at.is_some_and(|end| end <= Timestamp::now()) {
            return Err(Error::Unauthorized(format!("the key {:?} has expired", key.name)));
        }
        Ok(key)
    }
}

/// Whether a bearer token has the form of an API key, and not of a user's token.
pub fn is_key(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// A new key, and its hash in hexadecimal.
pub fn new_key() -> (String, String) {
    let secret = rand::rng().sample_iter(Alphanumeric).take(SECRET_LEN).map(char::from);
    let key: String = PREFIX.chars().chain(secret).collect();
    let hash = hex::encode(Sha256::digest(&key));
    (key, hash)
}

fn by_hash(config: &Config) -> HashMap<[u8; 32], Arc<Key>> {
    let quota = NonZeroU32::new(config.api.requests_per_second).map(Quota::per_second);
    let keys = config.key.iter().filter_map(|(name, key)| {
        let hash = hex::decode(&key.hash).ok()?.try_into().ok()?;
        let (scopes, expires_at) = (key.scopes.clone(), key.expires_at);
        Some((hash, Arc::new(Key { name: name.clone(), scopes, expires_at, bucket: quota.map(bucket) })))
    });
    keys.collect()
}
