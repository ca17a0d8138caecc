//! Reads JSON and queries from clients and backends, as JavaScript would, with error messages for their developers.
//!
//! serde_json reads valid input. Input that it refuses is parsed again as a tree (`node`), which also accepts what Node
//! accepts and serde_json does not: half a surrogate pair, and more than 128 levels. An error of the tree's reader names
//! the field and what it must be (`input_error`).

mod arguments;
mod decode;
mod depth;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod input_error;
mod name;
mod node;
mod object;
mod placeholders;
mod plain_placeholder;
mod query;
mod surrogates;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use self::{depth::AROUND, input_error::InputError, node::Node};

pub(crate) use arguments::{read_first, read_tuple};
pub(crate) use depth::{DEPTH_MAX, check_depth, check_event_depth, is_too_deep};
pub(crate) use name::{described, key, name};
pub(crate) use object::Object;
pub(crate) use placeholders::{are_placed, replaced};
pub(crate) use query::{Fields, read_query};
pub(crate) use surrogates::{LONE_SURROGATE, decoded, has_lone_surrogate};

/// The type name, for serde, of a name that may also be a whole number.
pub(crate) const NAME: &str = "name or whole number";

/// The type name, for serde, of a key such as a user's id: a name in which half a surrogate pair is an error.
pub(crate) const KEY: &str = "key or whole number";

/// The type name, for serde, of a key that must be a string.
pub(crate) const KEY_TEXT: &str = "key";

/// Deserializes a payload. Error messages call the payload `whole`.
pub(crate) fn read<T: DeserializeOwned>(text: &str, whole: &str) -> Result<T, String> {
    // serde_json would read an array as a struct's fields in order.
    if text.starts_with('[') { read_strictly(text, whole) } else { read_quickly(text, whole) }
}

/// Deserializes several payloads as the elements of one array; see [`read`].
pub(crate) fn read_all<T: DeserializeOwned>(texts: &[&RawValue], whole: &str) -> Result<T, String> {
    let list: Vec<&str> = texts.iter().map(|text| text.get()).collect();
    let text = format!("[{}]", list.join(","));
    let has_array = list.iter().any(|text| text.starts_with('['));
    if has_array { read_strictly(&text, whole) } else { read_quickly(&text, whole) }
}

fn read_quickly<T: DeserializeOwned>(text: &str, whole: &str) -> Result<T, String> {
    serde_json::from_str(text).or_else(|_| read_strictly(text, whole))
}

/// Deserializes a payload as a tree. An array is never read as a struct's fields, at any depth.
pub(crate) fn read_strictly<T: DeserializeOwned>(text: &str, whole: &str) -> Result<T, String> {
    check_json(text, whole)?;
    if is_too_deep(text, DEPTH_MAX + AROUND) {
        return Err(depth::sentence(whole));
    }
    let node = Node::parse(text).ok_or_else(|| format!("{whole} is not valid JSON"))?;
    T::deserialize(&node).map_err(|error: InputError| error.sentence(whole))
}

fn check_json(text: &str, whole: &str) -> Result<(), String> {
    let Err(error) = serde_json::from_str::<&RawValue>(text) else { return Ok(()) };
    if text.trim().is_empty() {
        return Err(format!("{whole} is empty: it must be JSON"));
    }
    Err(format!("{whole} is not valid JSON (line {}, column {})", error.line(), error.column()))
}

#[cfg(test)]
mod tests;
