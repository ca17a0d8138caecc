//! JSON as a tree of slices of its text, for what serde_json does not take.

use std::borrow::Cow;

use super::{decoded, depth::end_of_string};

/// A value, and the text it came as.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) text: &'a str,
    pub(super) kind: Kind<'a>,
}

#[derive(Debug)]
pub(super) enum Kind<'a> {
    Null,
    Bool(bool),
    /// As it is written.
    Number,
    Text(Cow<'a, str>),
    /// Of a query, where everything is text: a number too.
    Word(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// An array or an object that is not finished.
struct Open<'a> {
    start: usize,
    kind: Kind<'a>,
    /// The name of the member whose value comes next.
    name: Option<Cow<'a, str>>,
}

impl<'a> Node<'a> {
    /// From valid JSON. It does not recurse, but dropping it does: see [`super::is_too_deep`].
    pub(super) fn parse(json: &'a str) -> Option<Self> {
        let bytes = json.as_bytes();
        let mut open: Vec<Open<'a>> = Vec::new();
        let mut at = 0;
        loop {
            let start = at;
            let node = match bytes.get(at)? {
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => {
                    at += 1;
                    continue;
                }
                b'[' | b'{' => {
                    at += 1;
                    let kind = if bytes[start] == b'[' { Kind::Array(Vec::new()) } else { Kind::Object(Vec::new()) };
                    open.push(Open { start, kind, name: None });
                    continue;
                }
                b']' | b'}' => {
                    at += 1;
                    let Open { start, kind, .. } = open.pop()?;
                    Node { text: &json[start..at], kind }
                }
                b'"' => {
                    at = end_of_string(bytes, at + 1);
                    let text = decoded(&json[start..at])?;
                    if let Some(Open { kind: Kind::Object(_), name: name @ None, .. }) = open.last_mut() {
                        *name = Some(text);
                        continue;
                    }
                    Node { text: &json[start..at], kind: Kind::Text(text) }
                }
                first => {
                    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
                    at += bytes[at..].iter().take_while(|byte| is_inside(byte)).count().max(1);
                    let kind = match first {
                        b'n' => Kind::Null,
                        b't' | b'f' => Kind::Bool(*first == b't'),
                        _ => Kind::Number,
                    };
                    Node { text: json.get(start..at)?, kind }
                }
            };
            match open.last_mut() {
                None => return Some(node),
                Some(Open { kind: Kind::Array(items), .. }) => items.push(node),
                Some(Open { kind: Kind::Object(members), name, .. }) => members.push((name.take()?, node)),
                Some(_) => return None,
            }
        }
    }
}

/// Whether a number is a whole one, as it is written: `2` is, `2.0` and `1e3` are not.
pub(super) fn is_whole(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    (1..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}
