//! Durations: a text such as "5s", "1m 30s" or "250ms", or a number of seconds.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserializer,
    de::{self, Unexpected},
};

pub(super) use humantime_serde::serialize;

/// The accepted form, for error messages.
pub(super) const FORM: &str =
    "a duration such as \"250ms\", \"30s\" or \"1m 30s\", or a number of seconds; at most 100 years";

/// The longest duration, so that adding it to the current time cannot overflow.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3_600);

/// Reads a duration from a text; a bare number is seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    parse(text).ok_or_else(|| format!("must be {FORM}"))
}

fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.or_else(|| humantime::parse_duration(text).ok()).filter(|duration| *duration <= LONGEST)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(DurationVisitor)
}

struct DurationVisitor;

impl de::Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
        self.visit_str(&seconds.to_string())
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
        self.visit_str(&seconds.to_string())
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Duration, E> {
        self.visit_str(&seconds.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// The JSON schema of a duration.
pub(super) struct DurationSchema;

impl JsonSchema for DurationSchema {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration" })
    }
}
