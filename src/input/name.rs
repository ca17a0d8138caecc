//! Names, which JSON may have as a string or as a whole number.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    decoded,
    node::is_whole,
    surrogates::{CUT, is_cut},
    wrong::shortened,
};

/// What tells one thing from another, as a user's id or a room's name does: a [`name`] without half a surrogate pair,
/// in place of which two that differ would have the same U+FFFD.
pub(crate) fn key<T>(field: &str, json: &RawValue, parse: fn(&str) -> Result<T, String>) -> Result<T, String> {
    if is_cut(json.get()) { Err(format!("{field}: {CUT}")) } else { name(field, json, parse) }
}

/// A name, of the field that has this JSON: a string, or a whole number as it is written.
pub(crate) fn name<T>(field: &str, json: &RawValue, parse: fn(&str) -> Result<T, String>) -> Result<T, String> {
    let json = json.get();
    let text = match decoded(json) {
        Some(text) => text,
        None if is_whole(json) => Cow::Borrowed(json),
        None => return Err(format!("{field} must be a string or a whole number, not {}", described(json))),
    };
    parse(&text).map_err(|sentence| format!("{field}: {sentence}"))
}

/// What a value is, for a sentence about it.
pub(crate) fn described(json: &str) -> Cow<'_, str> {
    match json.as_bytes().first() {
        Some(b'"') => "a string".into(),
        Some(b'[') => "an array".into(),
        Some(b'{') => "an object".into(),
        _ => shortened(json),
    }
}
