//! JSON Web Tokens (RFC 7519). The algorithm is the configured key's; a token's header has no say.

use std::{fs, time::Duration};

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};

use crate::{
    config::{Algorithm, AuthConfig, ConfigError, Secret},
    error::{Error, Result},
    model::{Timestamp, User, UserId},
};

/// How far clocks may differ.
pub(super) const LEEWAY: Duration = Duration::from_secs(30);

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
struct TokenClaims {
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rooms: Vec<String>,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
}

/// What is believed of it.
pub(super) struct Claims {
    pub(super) user: User,
    pub(super) rooms: Vec<String>,
    pub(super) expires_at: Timestamp,
}

/// A key and what tokens must say.
pub(super) struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

impl Verifier {
    pub(super) fn new(config: &AuthConfig) -> Result<Self, ConfigError> {
        let pem = || {
            fs::read(&config.key_file).map_err(|error| {
                ConfigError(format!("auth.key-file: {} cannot be read: {error}", config.key_file.display()))
            })
        };
        let key = match config.algorithm {
            Algorithm::HS256 => Ok(DecodingKey::from_secret(config.secret.expose().as_bytes())),
            Algorithm::RS256 => DecodingKey::from_rsa_pem(&pem()?),
            Algorithm::ES256 => DecodingKey::from_ec_pem(&pem()?),
            Algorithm::EdDSA => DecodingKey::from_ed_pem(&pem()?),
        };
        let key = key.map_err(|error| {
            ConfigError(format!(
                "auth.key-file: {} holds no public key for {:?} in PEM: {error}",
                config.key_file.display(),
                config.algorithm
            ))
        })?;
        let mut validation = Validation::new(algorithm(config.algorithm));
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        let mut required = vec!["exp", "sub"];
        if config.audience.is_empty() {
            validation.validate_aud = false;
        } else {
            validation.set_audience(&[&config.audience]);
            required.push("aud");
        }
        if !config.issuer.is_empty() {
            validation.set_issuer(&[&config.issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        Ok(Self { key, validation })
    }

    pub(super) fn verify(&self, token: &Secret) -> Result<Claims> {
        let token = jsonwebtoken::decode::<TokenClaims>(token.expose(), &self.key, &self.validation);
        let claims = token.map_err(refusal)?.claims;
        let unusable = |text: String| Error::Unauthorized(format!("the token's user is none: {text}"));
        let id = UserId::parse(&claims.sub).map_err(unusable)?;
        let user = User::new(id, claims.name.as_deref().unwrap_or(&claims.sub)).map_err(unusable)?;
        Ok(Claims { user, rooms: claims.rooms, expires_at: Timestamp::from_secs(claims.exp) })
    }
}

/// Says no more than a client may know.
fn refusal(error: jsonwebtoken::errors::Error) -> Error {
    match error.kind() {
        ErrorKind::ExpiredSignature => Error::TokenExpired,
        ErrorKind::MissingRequiredClaim(claim) => Error::Unauthorized(format!("the token has no {claim}")),
        ErrorKind::InvalidAudience => Error::Unauthorized("the token is for another audience".to_owned()),
        ErrorKind::InvalidIssuer => Error::Unauthorized("the token is from another issuer".to_owned()),
        ErrorKind::ImmatureSignature => Error::Unauthorized("the token is not valid yet".to_owned()),
        _ => Error::Unauthorized("the token is not valid".to_owned()),
    }
}

fn algorithm(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::HS256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
    }
}

/// A token to be issued.
#[derive(Debug)]
pub struct Issue {
    /// `sub`.
    pub user: UserId,
    /// `name`.
    pub name: Option<String>,
    /// `rooms`.
    pub rooms: Vec<String>,
    /// Until `exp`.
    pub lifetime: Duration,
}

/// Issues a token that a server with these settings accepts: HS256 with `auth.secret`, or with the private key
/// in this PEM text.
pub fn issue(config: &AuthConfig, private_key: Option<&[u8]>, issue: Issue) -> anyhow::Result<String> {
    let key = match (config.algorithm, private_key) {
        (Algorithm::HS256, _) => {
            anyhow::ensure!(!config.secret.expose().is_empty(), "auth.secret must be set to issue a token");
            EncodingKey::from_secret(config.secret.expose().as_bytes())
        }
        (_, None) => anyhow::bail!("--private-key is needed to issue a token with {:?}", config.algorithm),
        (Algorithm::RS256, Some(pem)) => EncodingKey::from_rsa_pem(pem)?,
        (Algorithm::ES256, Some(pem)) => EncodingKey::from_ec_pem(pem)?,
        (Algorithm::EdDSA, Some(pem)) => EncodingKey::from_ed_pem(pem)?,
    };
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let claims = TokenClaims {
        sub: String::from(issue.user),
        name: issue.name,
        rooms: issue.rooms,
        exp: Timestamp::now().as_millis() / 1000 + issue.lifetime.as_secs(),
        aud: some(&config.audience).map(serde_json::Value::from),
        iss: some(&config.issuer),
    };
    Ok(jsonwebtoken::encode(&Header::new(algorithm(config.algorithm)), &claims, &key)?)
}
