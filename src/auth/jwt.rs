//! Verifies JSON Web Tokens (RFC 7519): first the signature with a configured key, then the claims.

mod claims;
mod header;
mod issue;
mod keys;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

pub use issue::{NewToken, issue};

use self::{
    claims::{Claims, Rules},
    header::Header,
    keys::VerificationKeys,
};
use crate::{
    config::{Algorithm, AuthConfig, ConfigError},
    error::{Error, Result},
    model::Timestamp,
};

pub(crate) use claims::LEEWAY;

/// Characters of a token's text that an error message shows, at most.
const SHOWN_MAX: usize = 64;

/// The keys, and the rules for claims.
pub(crate) struct Verifier {
    keys: VerificationKeys,
    rules: Rules,
}

impl Verifier {
    /// Reads the key files.
    pub(super) fn new(config: &AuthConfig) -> Result<Self, ConfigError> {
        Ok(Self { keys: VerificationKeys::new(config)?, rules: Rules::new(config) })
    }

    /// Verifies a token and returns its claims. Every error names the reason; that gives nothing away to the token's
    /// bearer.
    pub(super) fn verify(&self, token: &str) -> Result<Claims> {
        let three_parts = || refusal("the token is no JSON Web Token, which has three parts with dots between them");
        let (message, signature) = token.rsplit_once('.').ok_or_else(three_parts)?;
        let (header, claims) = message.split_once('.').ok_or_else(three_parts)?;
        if claims.contains('.') {
            return Err(three_parts());
        }
        let header = Header::parse(&decoded("header", header)?)?;
        self.keys.find(&header)?.verify(message, signature)?;
        self.rules.read(&decoded("claims", claims)?, Timestamp::now())
    }

    /// The settings whose key files have other contents than in another verifier.
    pub(super) fn changed_files(&self, other: &Self) -> Vec<String> {
        self.keys.changed_files(&other.keys)
    }
}

/// Strips the scheme `Bearer` (RFC 6750, section 2.1), in any case and even if repeated: applications add it wherever a
/// token may stand.
pub(super) fn without_scheme(token: &str) -> &str {
    let is_scheme = |scheme: &str| scheme.eq_ignore_ascii_case("bearer");
    let mut token = token.trim();
    while let Some((_, rest)) = token.split_once(char::is_whitespace).filter(|(scheme, _)| is_scheme(scheme)) {
        token = rest.trim_start();
    }
    if is_scheme(token) { "" } else { token }
}

fn decoded(part: &str, base64: &str) -> Result<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(base64).map_err(|_| refusal(format!("the token's {part} is not base64url")))
}

fn refusal(reason: impl Into<String>) -> Error {
    Error::Unauthorized(reason.into())
}

/// A text of the token for an error message: quoted and shortened.
fn quoted(text: &str) -> String {
    let mut characters = text.chars();
    let shown: String = characters.by_ref().take(SHOWN_MAX).collect();
    if characters.next().is_some() { format!("{shown:?}...") } else { format!("{shown:?}") }
}

fn algorithm(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::HS256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_skipped_however_it_is_written() {
        for text in ["abc", " abc ", "Bearer abc", "bearer abc", "BEARER   abc", "Bearer Bearer abc", "Bearer\tabc"] {
            assert_eq!(without_scheme(text), "abc", "{text:?}");
        }
        for nothing in ["", " ", "Bearer", "bearer "] {
            assert_eq!(without_scheme(nothing), "", "{nothing:?}");
        }
        assert_eq!(without_scheme("Bearerabc"), "Bearerabc");
        assert_eq!(without_scheme("Basic abc"), "Basic abc");
    }
}
