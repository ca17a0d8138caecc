//! What clients and backends send, read: JSON texts as JavaScript takes them, and sentences about what is wrong.
//!
//! serde_json reads everything that is as it should be. What it refuses is read once more (`node`), with what it does
//! not take and Node does: half surrogate pairs, and more than 128 levels. What is wrong then is said in words of ours
//! (`wrong`).

mod decode;
mod depth;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod name;
mod node;
mod object;
mod placeholders;
mod query;
mod surrogates;
mod wrong;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use self::{depth::AROUND, node::Node, wrong::Wrong};

pub(crate) use depth::{DEPTH_MAX, check_depth, check_event_depth, is_too_deep};
pub(crate) use name::{described, key, name};
pub(crate) use object::Object;
pub(crate) use placeholders::{are_placed, replaced};
pub(crate) use query::{Fields, read_query};
pub(crate) use surrogates::{CUT, decoded, is_cut};

/// What serde calls a name that may also be written as a whole number.
pub(crate) const NAME: &str = "name or whole number";

/// What serde calls a name that tells one thing from another, as a user's id does.
pub(crate) const KEY: &str = "key or whole number";

/// What serde calls a string that does so.
pub(crate) const KEY_TEXT: &str = "key";

/// Reads a payload. `whole` is what the sentence about an error calls all of it.
pub(crate) fn read<T: DeserializeOwned>(text: &str, whole: &str) -> Result<T, String> {
    // serde_json takes an array for an object's fields in their order.
    if text.starts_with('[') { read_strictly(text, whole) } else { read_quickly(text, whole) }
}

/// Reads several payloads, whose text is that of an array: as [`read`] does each of them.
pub(crate) fn read_all<T: DeserializeOwned>(texts: &[&RawValue], whole: &str) -> Result<T, String> {
    let list: Vec<&str> = texts.iter().map(|text| text.get()).collect();
    let text = format!("[{}]", list.join(","));
    let has_array = list.iter().any(|text| text.starts_with('['));
    if has_array { read_strictly(&text, whole) } else { read_quickly(&text, whole) }
}

fn read_quickly<T: DeserializeOwned>(text: &str, whole: &str) -> Result<T, String> {
    serde_json::from_str(text).or_else(|_| read_strictly(text, whole))
}

/// Reads a payload in which an array stands for no object, however far inside.
pub(crate) fn read_strictly<T: DeserializeOwned>(text: &str, whole: &str) -> Result<T, String> {
    check_json(text, whole)?;
    if is_too_deep(text, DEPTH_MAX + AROUND) {
        return Err(depth::sentence(whole));
    }
    let node = Node::parse(text).ok_or_else(|| format!("{whole} is not valid JSON"))?;
    T::deserialize(&node).map_err(|wrong: Wrong| wrong.sentence(whole))
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
