//! A token's header (RFC 7515, section 4): `alg`, `kid` and `crit`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    claims::{kind, object},
    quoted, refusal,
};
use crate::{error::Result, input};

/// The header's fields about the signature.
pub(super) struct Header {
    /// `alg`
    pub(super) algorithm: String,
    /// `kid`
    pub(super) key_id: Option<String>,
}

impl Header {
    /// Refuses `crit`, whatever it lists: this server knows no extension (RFC 7515, section 4.1.11).
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        let fields = object(json).ok_or_else(|| refusal("the token's header is no JSON object"))?;
        if fields.get("crit").is_some() {
            return Err(refusal("the token's header has crit, and this server knows no critical extension"));
        }
        let text = |field: &str| fields.get(field).map(|value| string(field, value)).transpose();
        let algorithm = text("alg")?.ok_or_else(|| refusal("the token's header has no alg"))?;
        Ok(Self { algorithm, key_id: text("kid")? })
    }

    /// Refuses every algorithm but the key's own.
    pub(super) fn must_be(&self, algorithm: jsonwebtoken::Algorithm) -> Result<()> {
        if self.algorithm == format!("{algorithm:?}") {
            return Ok(());
        }
        Err(refusal(format!("the token's alg must be {algorithm:?}, not {}", quoted(&self.algorithm))))
    }
}

fn string(field: &str, value: &RawValue) -> Result<String> {
    input::decoded(value.get())
        .map(Cow::into_owned)
        .ok_or_else(|| refusal(format!("the token's {field} must be a string, not {}", kind(value))))
}
