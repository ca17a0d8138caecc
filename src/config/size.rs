//! Sizes in bytes: a number, or a text such as "1MB" (1,000,000) or "1 MiB" (1,048,576).

use std::{borrow::Cow, fmt};

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserializer, Serializer,
    de::{self, Unexpected},
};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
pub(super) fn serialize<S: Serializer>(size: &usize, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(*size as u64)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    deserializer.deserialize_any(SizeVisitor)
}

/// The accepted form, for error messages.
pub(super) const FORM: &str = "a number of bytes, or a text such as \"1MB\" or \"512 KiB\"";

struct SizeVisitor;

impl de::Visitor<'_> for SizeVisitor {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_u64<E: de::Error>(self, size: u64) -> Result<usize, E> {
        usize::try_from(size).map_err(|_| E::invalid_value(Unexpected::Unsigned(size), &self))
    }

    fn visit_i64<E: de::Error>(self, size: i64) -> Result<usize, E> {
        usize::try_from(size).map_err(|_| E::invalid_value(Unexpected::Signed(size), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<usize, E> {
        let size = text.trim().replace('_', "").parse::<ByteSize>().ok();
        let size = size.and_then(|size| usize::try_from(size.as_u64()).ok());
        size.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// The JSON schema of a size.
pub(super) struct SizeSchema;

impl JsonSchema for SizeSchema {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "size" })
    }
}
