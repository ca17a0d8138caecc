//! A JSON tree of slices of the text, for input that serde_json refuses.

use std::borrow::Cow;

use super::{decoded, depth::end_of_string};

/// A value and its text.
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
    /// A value of a query: text, even where it is a number.
    Word(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// An array or object whose closing bracket has not been reached.
struct Open<'a> {
    start: usize,
    kind: Kind<'a>,
    /// In an object: the name whose value comes next.
    name: Option<Cow<'a, str>>,
}

impl<'a> Node<'a> {
    /// Parses valid JSON, without recursion. Dropping the tree recurses: see [`super::is_too_deep`].
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

/// Whether a number is written as a whole one: `2` is, `2.0` and `1e3` are not.
pub(super) fn is_whole(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    (1..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}
