//! A point in time in RFC 3339 format, as text or as TOML's date-time.

use std::time::UNIX_EPOCH;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::model::Timestamp;

#[expect(clippy::ref_option, reason = "serde calls it so")]
pub(super) fn serialize<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    moment.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    let moment = humantime::parse_rfc3339_weak(&text)
        .map_err(|_| D::Error::custom(format!("{text:?} must be a moment in UTC, as in \"2027-01-31T00:00:00Z\"")))?;
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Some(Timestamp::from_millis(since.as_millis() as u64)))
}
