//! Reads names, which are strings or whole numbers in JSON.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    decoded,
    input_error::shortened,
    node::is_whole,
    surrogates::{LONE_SURROGATE, has_lone_surrogate},
};

/// Reads a key such as a user's id or a room's name: a [`name`] in which half a surrogate pair is an error. Replaced by
/// U+FFFD, two different keys could become the same.
pub(crate) fn key<T>(field: &str, json: &RawValue, parse: fn(&str) -> Result<T, String>) -> Result<T, String> {
    if has_lone_surrogate(json.get()) { Err(format!("{field}: {LONE_SURROGATE}")) } else { name(field, json, parse) }
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

/// Describes a value for an error message: strings, arrays and objects by their type, other values as they are.
pub(crate) fn described(json: &str) -> Cow<'_, str> {
    match json.as_bytes().first() {
        Some(b'"') => "a string".into(),
        Some(b'[') => "an array".into(),
        Some(b'{') => "an object".into(),
        _ => shortened(json),
    }
}
