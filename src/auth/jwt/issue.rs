//! Issues tokens for development (`sockeye token`).

use std::time::Duration;

use anyhow::Context;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value};

use super::algorithm;
use crate::{
    config::{Algorithm, AuthConfig},
    model::{Timestamp, UserId},
};

/// The contents of a token to issue.
#[derive(Debug)]
pub struct NewToken {
    /// The claim `auth.user-claim`.
    pub user: UserId,
    /// The claim `auth.name-claim`.
    pub name: Option<String>,
    /// The claim `auth.rooms-claim`.
    pub rooms: Vec<String>,
    /// Lifetime, until `exp`.
    pub lifetime: Duration,
    /// Which of `auth.keys` signs it; `None` for the key that has no `kid`.
    pub kid: Option<String>,
}

/// Issues a token that a server with these settings accepts. It is signed with the secret in the settings, or with
/// the private key in this PEM text.
pub fn issue(config: &AuthConfig, private_key: Option<&[u8]>, token: NewToken) -> anyhow::Result<String> {
    let named = token.kid.as_ref().map(|kid| config.keys.get(kid).with_context(|| format!("auth.keys has no {kid}")));
    let (setting, kind, secret) = match named.transpose()? {
        Some(key) => ("auth.keys", key.algorithm.unwrap_or(config.algorithm), &key.secret),
        None if config.keys.is_empty() || config.has_unnamed_key() => ("auth.secret", config.algorithm, &config.secret),
        None => anyhow::bail!("--kid is needed: each of auth.keys has one, and there is no other key"),
    };
    let key = match (kind, private_key) {
        (Algorithm::HS256, _) => {
            anyhow::ensure!(!secret.expose().is_empty(), "{setting} must hold a secret to issue a token");
            EncodingKey::from_secret(secret.expose().as_bytes())
        }
        (_, None) => anyhow::bail!("--private-key is needed to issue a token with {kind:?}"),
        (Algorithm::RS256, Some(pem)) => EncodingKey::from_rsa_pem(pem)?,
        (Algorithm::ES256, Some(pem)) => EncodingKey::from_ec_pem(pem)?,
        (Algorithm::EdDSA, Some(pem)) => EncodingKey::from_ed_pem(pem)?,
    };
    let mut claims = Map::new();
    put(&mut claims, &config.user_claim, String::from(token.user).into());
    if let Some(name) = token.name {
        put(&mut claims, &config.name_claim, name.into());
    }
    if !token.rooms.is_empty() {
        put(&mut claims, &config.rooms_claim, token.rooms.into());
    }
    let end = Timestamp::now().as_millis() / 1_000 + token.lifetime.as_secs();
    claims.insert("exp".to_owned(), end.into());
    for (claim, text) in [("aud", &config.audience), ("iss", &config.issuer)] {
        if !text.is_empty() {
            claims.insert(claim.to_owned(), text.as_str().into());
        }
    }
    let header = Header { kid: token.kid, ..Header::new(algorithm(kind)) };
    Ok(jsonwebtoken::encode(&header, &claims, &key)?)
}

/// Sets a claim at its path: `data.id` in the object `data`, unless `data` is another claim already.
fn put(claims: &mut Map<String, Value>, path: &str, value: Value) {
    if let Some((object, rest)) = path.split_once('.')
        && let Some(nested) = claims.entry(object).or_insert_with(|| Map::new().into()).as_object_mut()
    {
        return put(nested, rest, value);
    }
    claims.insert(path.to_owned(), value);
}
