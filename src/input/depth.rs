//! The limit on nesting in JSON.

use memchr::{memchr2, memchr2_iter};

/// Levels of arrays and objects in one payload, at most.
pub(crate) const DEPTH_MAX: usize = 1_000;

/// Further levels allowed around a payload: those of a request, a batch, a saved message.
pub(super) const AROUND: usize = 8;

/// Whether valid JSON has more than `most` levels. Nearly always it is enough to count the opening brackets.
pub(crate) fn is_too_deep(json: &str, most: usize) -> bool {
    let bytes = json.as_bytes();
    // Each level takes two bytes.
    bytes.len() > 2 * most
        && memchr2_iter(b'[', b'{', bytes).take(most + 1).count() > most
        && has_more_levels(bytes, most)
}

/// Refuses a payload with more than [`DEPTH_MAX`] levels. The error message calls it `whole`.
pub(crate) fn check_depth(json: &str, whole: &str) -> Result<(), String> {
    if is_too_deep(json, DEPTH_MAX) { Err(sentence(whole)) } else { Ok(()) }
}

/// Refuses an event from the application with more than [`DEPTH_MAX`] and [`AROUND`] levels together.
pub(crate) fn check_event_depth(json: &str) -> Result<(), String> {
    if is_too_deep(json, DEPTH_MAX + AROUND) { Err(sentence("the payload")) } else { Ok(()) }
}

pub(super) fn sentence(whole: &str) -> String {
    format!("{whole} must have at most {DEPTH_MAX} levels of arrays and objects")
}

fn has_more_levels(bytes: &[u8], most: usize) -> bool {
    let (mut levels, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'[' | b'{' => {
                levels += 1;
                if levels > most {
                    return true;
                }
            }
            b']' | b'}' => levels = levels.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The index behind the closing quote of a string that begins at `at`.
pub(super) fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}
