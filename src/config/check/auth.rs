//! Checks of `[auth]`: the address in open mode, and the keys and claims of tokens.

use std::{net::SocketAddr, path::Path};

use crate::config::{Algorithm, AuthConfig, AuthMode, Secret, findings::Findings};

/// Below this, an HS256 secret is weaker than its signature (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

pub(super) fn check(auth: &AuthConfig, address: Option<SocketAddr>, findings: &mut Findings) {
    match (auth.mode, address) {
        (AuthMode::Open, Some(address)) if !address.ip().is_loopback() && !auth.allow_open_public => {
            let sentence = format!(
                "is \"open\" and {address} can be reached from other machines, where anybody can then connect as any user: set auth.mode to \"jwt\", or auth.allow-open-public to true if that is meant"
            );
            findings.wrong(&["auth.mode", "auth.allow-open-public"], sentence);
        }
        (AuthMode::Open, _) => {}
        (AuthMode::Jwt, _) => {
            check_keys(auth, findings);
            check_claims(auth, findings);
        }
    }
}

fn check_keys(auth: &AuthConfig, findings: &mut Findings) {
    let is_one_set = !auth.secret.expose().is_empty() || !auth.key_file.as_os_str().is_empty();
    if auth.keys.is_empty() || is_one_set {
        check_key("auth", auth.algorithm, &auth.secret, &auth.key_file, findings);
    }
    for (kid, key) in &auth.keys {
        let setting = format!("auth.keys.{kid}");
        if kid.is_empty() {
            let sentence = "has a key with an empty kid: auth.secret and auth.key-file are for tokens without one";
            findings.wrong(&["auth.keys"], sentence);
            continue;
        }
        let algorithm = key.algorithm.unwrap_or(auth.algorithm);
        check_key(&setting, algorithm, &key.secret, &key.key_file, findings);
        let (has_secret, has_file) = (!key.secret.expose().is_empty(), !key.key_file.as_os_str().is_empty());
        if has_secret && has_file {
            findings.wrong(&[&setting], "has both a secret and a key-file: a key is one of them");
        }
    }
}

fn check_key(setting: &str, algorithm: Algorithm, secret: &Secret, file: &Path, findings: &mut Findings) {
    let because = if setting == "auth" { "for auth.mode = \"jwt\" with" } else { "for the algorithm" };
    let keys = [format!("{setting}.secret"), format!("{setting}.key-file"), format!("{setting}.algorithm")];
    let [secret_key, file_key, algorithm_key] = keys.each_ref().map(String::as_str);
    match (algorithm, secret.expose().len()) {
        (Algorithm::HS256, 0) => {
            findings.wrong(&[secret_key, algorithm_key], format!("must be set {because} HS256"));
        }
        (Algorithm::HS256, bytes) if bytes < SECRET_BYTES => {
            findings
                .warn(format!("{secret_key} has {bytes} bytes: use at least {SECRET_BYTES} (RFC 7518, section 3.2)"));
        }
        (Algorithm::HS256, _) => {}
        _ if file.as_os_str().is_empty() => {
            findings.wrong(&[file_key, algorithm_key], format!("must be set {because} RS256, ES256 or EdDSA"));
        }
        _ => {}
    }
}

fn check_claims(auth: &AuthConfig, findings: &mut Findings) {
    let claims = [
        ("auth.user-claim", &auth.user_claim),
        ("auth.name-claim", &auth.name_claim),
        ("auth.rooms-claim", &auth.rooms_claim),
    ];
    for (key, claim) in claims {
        if claim.split('.').any(str::is_empty) {
            findings.wrong(&[key], "must name a claim, as in \"sub\" or \"data.id\"");
        }
    }
}
