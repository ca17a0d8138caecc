//! The form in which clients write a placeholder: `{"_placeholder":true,"num":0}`, without blanks.

/// A placeholder in that form, up to its number.
const START: &[u8] = br#"{"_placeholder":true,"num":"#;

/// The number of the placeholder that JSON begins with, and its length in bytes. `None` also if it is not written as
/// clients write it.
pub(super) fn plain_placeholder(json: &[u8]) -> Option<(usize, usize)> {
    let rest = json.strip_prefix(START)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    (rest.get(digits) == Some(&b'}')).then_some((number, START.len() + digits + 1))
}
