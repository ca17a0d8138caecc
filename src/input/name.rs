//! Names, which JSON may have as a string or as a whole number.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    decoded,
    node::is_whole,
    surrogates::{CUT, is_cut},
    wrong::shortened,
};

/// Reads a key such as a user's id or a room's name: a [`name`] in which half a surrogate pair is an error. Replaced by
/// U+FFFD, two different keys could become the same.
pub(crate) fn key<T>(field: &str, json: &RawValue, parse: fn(&str) -> Result<T, String>) -> Result<T, String> {
    if is_cut(json.get()) { Err(format!("{field}: {CUT}")) } else { name(field, json, parse) }
}

/// Reads a name from a field's JSON: a string, or a whole number as it is written.
pub(crate) fn name<T>(field: &str, json: &RawValue, parse: fn(&str) -> Result<T, String>) -> Result<T, String> {
    let json = json.get();
    let text = match decoded(json) {
        Some(text) => text,
        None if is_whole(json) => Cow::Borrowed(json),
        None => return Err(format!("{field} must be a string or a whole number, not {}", described(json))),
    };
    parse(&text).map_err(|sentence| format!("{field}: {sentence}"))
}

/// Names a value's type ("a string", "an array") for error messages; other values are shown themselves.
pub(crate) fn described(json: &str) -> Cow<'_, str> {
    match json.as_bytes().first() {
        Some(b'"') => "a string".into(),
        Some(b'[') => "an array".into(),
        Some(b'{') => "an object".into(),
        _ => shortened(json),
    }
}
