//! Who may connect: open mode's address, and the keys and claims of tokens.

use std::{net::SocketAddr, path::Path};

use super::{ConfigError, wrong};
use crate::config::{Algorithm, AuthConfig, AuthMode, Secret};

/// Below this, an HS256 secret is weaker than its signature (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

pub(super) fn check(auth: &AuthConfig, address: SocketAddr, warnings: &mut Vec<String>) -> Result<(), ConfigError> {
    match auth.mode {
        AuthMode::Open if !address.ip().is_loopback() && !auth.allow_open_public => wrong(
            "auth.mode",
            &format!(
                "is \"open\" and {address} can be reached by others, who may then be anybody: set auth.mode to \"jwt\", or auth.allow-open-public to true if that is meant"
            ),
        ),
        AuthMode::Open => Ok(()),
        AuthMode::Jwt => {
            check_keys(auth, warnings)?;
            check_claims(auth)
        }
    }
}

fn check_keys(auth: &AuthConfig, warnings: &mut Vec<String>) -> Result<(), ConfigError> {
    let is_one_set = !auth.secret.expose().is_empty() || !auth.key_file.as_os_str().is_empty();
    if auth.keys.is_empty() || is_one_set {
        check_key("auth", auth.algorithm, &auth.secret, &auth.key_file, warnings)?;
    }
    for (kid, key) in &auth.keys {
        let setting = format!("auth.keys.{kid}");
        if kid.is_empty() {
            return wrong(
                "auth.keys",
                "has a key with an empty kid: auth.secret and auth.key-file are for tokens without one",
            );
        }
        let algorithm = key.algorithm.unwrap_or(auth.algorithm);
        check_key(&setting, algorithm, &key.secret, &key.key_file, warnings)?;
        let (has_secret, has_file) = (!key.secret.expose().is_empty(), !key.key_file.as_os_str().is_empty());
        if has_secret && has_file {
            return wrong(&setting, "has both a secret and a key-file: a key is one of them");
        }
    }
    Ok(())
}

fn check_key(
    setting: &str,
    algorithm: Algorithm,
    secret: &Secret,
    file: &Path,
    warnings: &mut Vec<String>,
) -> Result<(), ConfigError> {
    let because = if setting == "auth" { "for auth.mode = \"jwt\" with" } else { "for the algorithm" };
    match (algorithm, secret.expose().len()) {
        (Algorithm::HS256, 0) => wrong(&format!("{setting}.secret"), &format!("must be set {because} HS256")),
        (Algorithm::HS256, bytes) => {
            if bytes < SECRET_BYTES {
                warnings.push(format!("{setting}.secret has {bytes} bytes; {SECRET_BYTES} or more are wise"));
            }
            Ok(())
        }
        _ if file.as_os_str().is_empty() => {
            wrong(&format!("{setting}.key-file"), &format!("must be set {because} RS256, ES256 or EdDSA"))
        }
        _ => Ok(()),
    }
}

fn check_claims(auth: &AuthConfig) -> Result<(), ConfigError> {
    let claims = [("user", &auth.user_claim), ("name", &auth.name_claim), ("rooms", &auth.rooms_claim)];
    for (which, claim) in claims {
        if claim.is_empty() {
            return wrong(&format!("auth.{which}-claim"), "must name a claim, as in \"sub\" or \"data.id\"");
        }
    }
    Ok(())
}
