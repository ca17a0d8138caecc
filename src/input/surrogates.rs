//! JSON strings with half a surrogate pair, which JavaScript makes when it cuts a text within an emoji. The half is read
//! as U+FFFD, which is what Node writes for it in UTF-8.

use std::borrow::Cow;

/// The error for a key that holds half a surrogate pair.
pub(crate) const LONE_SURROGATE: &str = "half a surrogate pair is no character";

/// The text of a JSON string, which is given with its quotes; `None` if the JSON is not a string.
pub(crate) fn decoded(json: &str) -> Option<Cow<'_, str>> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    if !text.contains('\\') {
        return Some(text.into());
    }
    serde_json::from_str::<String>(json).or_else(|_| serde_json::from_str(&mended(json))).ok().map(Cow::Owned)
}

/// Whether a JSON string holds half a surrogate pair.
pub(crate) fn has_lone_surrogate(json: &str) -> bool {
    json.starts_with('"') && json.contains('\\') && serde_json::from_str::<String>(json).is_err()
}

/// The JSON with each lone surrogate replaced by `\ufffd`.
fn mended(json: &str) -> String {
    let mut mended = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let (kept, len) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (&escape[..12], 12),
            (Some(0xD800..=0xDFFF), _) => (r"\ufffd", 6),
            _ => {
                let len = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
                (&escape[..len], len)
            }
        };
        mended.push_str(kept);
        rest = &escape[len..];
    }
    mended.push_str(rest);
    mended
}

/// The code unit of the escape at the start of `text`, as in `\ud83d`.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(r"\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}
