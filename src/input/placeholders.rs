//! Placeholders of binary attachments in a packet's JSON (`{"_placeholder":true,"num":0}`).

use std::borrow::Cow;

use bytes::Bytes;
use memchr::{memchr, memchr_iter};

use super::{
    DEPTH_MAX, is_too_deep,
    node::{Node, NodeKind},
    plain_placeholder::plain_placeholder,
};

/// The name of the member that makes an object a placeholder.
const MARK: &[u8] = b"_placeholder";

/// Whether every placeholder in a packet's JSON has its attachment, as Node's parser demands. True for JSON that is
/// nested too deeply, and perhaps for invalid JSON: the packet is refused later for that reason.
pub(crate) fn are_placed(json: &str, attachments: usize) -> bool {
    are_plainly_placed(json.as_bytes(), attachments) || are_placed_in_tree(json, attachments)
}

pub(super) fn are_placed_in_tree(json: &str, attachments: usize) -> bool {
    if is_too_deep(json, DEPTH_MAX + 1) {
        return true;
    }
    Node::parse(json).is_some_and(|node| node.is_placed(attachments))
}

/// The same without a tree, and for JSON that is valid. False if it is not certain: every placeholder must be written as
/// clients write it. Without a backslash in the text, `_placeholder` can be nothing else, and this form, which has
/// quotes, cannot be a part of a string.
pub(super) fn are_plainly_placed(json: &[u8], attachments: usize) -> bool {
    if memchr(b'\\', json).is_some() {
        return false;
    }
    let mut marks = memchr_iter(b'_', json).filter(|at| json[*at..].starts_with(MARK));
    marks.all(|at| {
        let placeholder = at.checked_sub(2).and_then(|start| plain_placeholder(&json[start..]));
        placeholder.is_some_and(|(number, _)| number < attachments)
    })
}

/// The packet's JSON with each placeholder replaced by other JSON. Everything else stays byte for byte.
pub(crate) fn replaced(json: &str, mut replacement: impl FnMut(usize) -> String) -> Cow<'_, str> {
    if is_too_deep(json, DEPTH_MAX + 1) {
        return json.into();
    }
    let Some(node) = Node::parse(json) else { return json.into() };
    let mut places = Vec::new();
    node.places(&mut places);
    let (mut replaced, mut end) = (String::with_capacity(json.len()), 0);
    for place in places {
        // A slice of `json`.
        let start = place.text.as_ptr() as usize - json.as_ptr() as usize;
        replaced.push_str(&json[end..start]);
        replaced.push_str(&place.number().map_or_else(|| "null".to_owned(), &mut replacement));
        end = start + place.text.len();
    }
    replaced.push_str(&json[end..]);
    replaced.into()
}

impl<'a> Node<'a> {
    /// Replaces each placeholder by its attachment.
    pub(super) fn attach(&mut self, attachments: &'a [Bytes]) {
        if attachments.is_empty() {
            return;
        }
        let attachment = match self.is_placeholder() {
            true => self.number().and_then(|number| attachments.get(number)),
            false => None,
        };
        if let Some(attachment) = attachment {
            self.kind = NodeKind::Binary(attachment);
            return;
        }
        match &mut self.kind {
            NodeKind::Array(items) => items.iter_mut().for_each(|item| item.attach(attachments)),
            NodeKind::Object(members) => members.iter_mut().for_each(|(_, member)| member.attach(attachments)),
            _ => {}
        }
    }

    fn is_placed(&self, attachments: usize) -> bool {
        let mut places = Vec::new();
        self.places(&mut places);
        places.iter().all(|place| place.number().is_some_and(|number| number < attachments))
    }

    /// All placeholders, in the order of the text. Placeholders inside of placeholders do not count.
    fn places<'n>(&'n self, places: &mut Vec<&'n Node<'a>>) {
        match &self.kind {
            NodeKind::Array(items) => items.iter().for_each(|item| item.places(places)),
            NodeKind::Object(_) if self.is_placeholder() => places.push(self),
            NodeKind::Object(members) => members.iter().for_each(|(_, member)| member.places(places)),
            _ => {}
        }
    }

    /// The index of the attachment, if this is a placeholder.
    fn number(&self) -> Option<usize> {
        let number = self.member("num").filter(|number| matches!(number.kind, NodeKind::Number))?;
        number.text.parse().ok()
    }

    fn is_placeholder(&self) -> bool {
        self.member("_placeholder").is_some_and(|member| matches!(member.kind, NodeKind::Bool(true)))
    }

    /// The last member of this name, as in JavaScript.
    fn member(&self, name: &str) -> Option<&Self> {
        let NodeKind::Object(members) = &self.kind else { return None };
        members.iter().rev().find(|(key, _)| key == name).map(|(_, member)| member)
    }
}
