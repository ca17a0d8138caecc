//! A JSON tree of slices of the text, for input that serde_json refuses.

use std::borrow::Cow;

use bytes::Bytes;

use super::{decoded, depth::end_of_string, plain_placeholder::plain_placeholder};

/// A value and its text.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) text: &'a str,
    pub(super) kind: NodeKind<'a>,
}

#[derive(Debug)]
pub(super) enum NodeKind<'a> {
    Null,
    Bool(bool),
    /// Its text is the node's.
    Number,
    Text(Cow<'a, str>),
    /// A value of a query string: a text that may also be read as a number or a boolean.
    Word(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    /// An attachment in place of its placeholder: see [`Node::attach`].
    Binary(&'a [u8]),
}

/// An array or object whose closing bracket has not been reached.
struct OpenContainer<'a> {
    start: usize,
    kind: NodeKind<'a>,
    /// In an object: the name whose value comes next.
    name: Option<Cow<'a, str>>,
}

impl<'a> Node<'a> {
    /// Parses valid JSON, without recursion. Dropping the tree recurses: see [`super::is_too_deep`].
    pub(super) fn parse(json: &'a str) -> Option<Self> {
        Self::parse_with(json, &[])
    }

    /// The same with attachments in place of their placeholders.
    pub(super) fn parse_attached(json: &'a str, attachments: &'a [Bytes]) -> Option<Self> {
        let mut node = Self::parse_with(json, attachments)?;
        node.attach(attachments);
        Some(node)
    }

    /// Puts attachments in place of those placeholders that are written as clients write them, which is faster than to
    /// parse them.
    fn parse_with(json: &'a str, attachments: &'a [Bytes]) -> Option<Self> {
        let bytes = json.as_bytes();
        let mut open: Vec<OpenContainer<'a>> = Vec::new();
        let mut at = 0;
        loop {
            let start = at;
            let node = match bytes.get(at)? {
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => {
                    at += 1;
                    continue;
                }
                b'[' | b'{' => {
                    let Some((len, attachment)) = attached(&bytes[start..], attachments) else {
                        at += 1;
                        let kind = match bytes[start] {
                            b'[' => NodeKind::Array(Vec::new()),
                            _ => NodeKind::Object(Vec::new()),
                        };
                        open.push(OpenContainer { start, kind, name: None });
                        continue;
                    };
                    at += len;
                    Node { text: &json[start..at], kind: NodeKind::Binary(attachment) }
                }
                b']' | b'}' => {
                    at += 1;
                    let OpenContainer { start, kind, .. } = open.pop()?;
                    Node { text: &json[start..at], kind }
                }
                b'"' => {
                    at = end_of_string(bytes, at + 1);
                    let text = decoded(&json[start..at])?;
                    if let Some(OpenContainer { kind: NodeKind::Object(_), name: name @ None, .. }) = open.last_mut() {
                        *name = Some(text);
                        continue;
                    }
                    Node { text: &json[start..at], kind: NodeKind::Text(text) }
                }
                first => {
                    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
                    at += bytes[at..].iter().take_while(|byte| is_inside(byte)).count().max(1);
                    let kind = match first {
                        b'n' => NodeKind::Null,
                        b't' | b'f' => NodeKind::Bool(*first == b't'),
                        _ => NodeKind::Number,
                    };
                    Node { text: json.get(start..at)?, kind }
                }
            };
            match open.last_mut() {
                None => return Some(node),
                Some(OpenContainer { kind: NodeKind::Array(items), .. }) => items.push(node),
                Some(OpenContainer { kind: NodeKind::Object(members), name, .. }) => members.push((name.take()?, node)),
                Some(_) => return None,
            }
        }
    }
}

/// The length of the placeholder that the JSON begins with, and its attachment.
fn attached<'a>(json: &[u8], attachments: &'a [Bytes]) -> Option<(usize, &'a [u8])> {
    if attachments.is_empty() {
        return None;
    }
    let (number, len) = plain_placeholder(json)?;
    Some((len, attachments.get(number)?))
}

/// Whether a number is written as a whole one: `2` is, `2.0` and `1e3` are not.
pub(super) fn is_whole(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    (1..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}
