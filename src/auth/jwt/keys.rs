//! The keys that verify tokens: one without a name, and others by the `kid` of a token's header.

use std::{collections::HashMap, fs, path::Path};

use jsonwebtoken::DecodingKey;
use sha2::{Digest, Sha256};

use super::{algorithm, header::Header, quoted, refusal};
use crate::{
    config::{Algorithm, AuthConfig, ConfigError, Secret},
    error::Result,
};

/// In the first line of every private key in PEM (RFC 7468).
const PRIVATE: &[u8] = b"PRIVATE KEY-----";

/// All keys that verify tokens.
pub(super) struct VerificationKeys {
    unnamed: Option<VerificationKey>,
    named: HashMap<String, VerificationKey>,
}

/// A key, and the only algorithm it is used with.
pub(super) struct VerificationKey {
    key: DecodingKey,
    algorithm: jsonwebtoken::Algorithm,
    /// The setting with the key, such as `auth.keys.2026`.
    setting: String,
    /// The SHA-256 of the key file; `None` for a secret.
    file: Option<[u8; 32]>,
}

impl VerificationKeys {
    pub(super) fn new(config: &AuthConfig) -> Result<Self, ConfigError> {
        let unnamed = config
            .has_unnamed_key()
            .then(|| VerificationKey::new("auth".to_owned(), config.algorithm, &config.secret, &config.key_file));
        let named = config.keys.iter().map(|(kid, key)| {
            let algorithm = key.algorithm.unwrap_or(config.algorithm);
            let key = VerificationKey::new(format!("auth.keys.{kid}"), algorithm, &key.secret, &key.key_file)?;
            Ok((kid.clone(), key))
        });
        Ok(Self { unnamed: unnamed.transpose()?, named: named.collect::<Result<_, ConfigError>>()? })
    }

    /// The key for a token with this header. While no key has a name, `kid` is ignored.
    pub(super) fn find(&self, header: &Header) -> Result<&VerificationKey> {
        let unnamed = self.unnamed.as_ref();
        let key = match &header.key_id {
            Some(kid) if !self.named.is_empty() => {
                self.named.get(kid).ok_or_else(|| refusal(format!("the token's kid {} is unknown", quoted(kid))))?
            }
            _ => unnamed.ok_or_else(|| refusal("the token's header has no kid, and every key here has one"))?,
        };
        header.must_be(key.algorithm)?;
        Ok(key)
    }

    pub(super) fn changed_files(&self, other: &Self) -> Vec<String> {
        let others: HashMap<_, _> = other.all().map(|key| (&key.setting, key.file)).collect();
        let has_changed = |key: &&VerificationKey| {
            key.file.is_some() && others.get(&key.setting).is_some_and(|file| file.is_some() && *file != key.file)
        };
        self.all().filter(has_changed).map(|key| format!("{}.key-file", key.setting)).collect()
    }

    fn all(&self) -> impl Iterator<Item = &VerificationKey> {
        self.unnamed.iter().chain(self.named.values())
    }
}

impl VerificationKey {
    fn new(setting: String, kind: Algorithm, secret: &Secret, file: &Path) -> Result<Self, ConfigError> {
        let algorithm = algorithm(kind);
        let parse: fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey> = match kind {
            Algorithm::HS256 => {
                let key = DecodingKey::from_secret(secret.expose().as_bytes());
                return Ok(Self { key, algorithm, setting, file: None });
            }
            Algorithm::RS256 => DecodingKey::from_rsa_pem,
            Algorithm::ES256 => DecodingKey::from_ec_pem,
            Algorithm::EdDSA => DecodingKey::from_ed_pem,
        };
        let wrong = |what: String| ConfigError(format!("{setting}.key-file: {} {what}", file.display()));
        let pem = fs::read(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        if pem.windows(PRIVATE.len()).any(|bytes| bytes == PRIVATE) {
            return Err(wrong(
                "holds a private key; the public one is needed, as `openssl pkey -pubout` makes it".to_owned(),
            ));
        }
        // Verifying once finds keys that cannot verify anything, such as one on another curve.
        let usable = parse(&pem).and_then(|key| jsonwebtoken::crypto::verify("", b"", &key, algorithm).map(|_| key));
        let key = usable.map_err(|error| wrong(format!("holds no public key for {kind:?} in PEM: {error}")))?;
        Ok(Self { key, algorithm, file: Some(Sha256::digest(&pem).into()), setting })
    }

    /// Whether this key made the signature.
    pub(super) fn verify(&self, message: &str, signature: &str) -> Result<()> {
        let is_right = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.key, self.algorithm);
        if is_right.unwrap_or(false) {
            return Ok(());
        }
        Err(refusal("the token's signature is not that of the key"))
    }
}
