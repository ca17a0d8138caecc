//! Placeholders of binary attachments in a packet's JSON (`{"_placeholder":true,"num":0}`).

use std::borrow::Cow;

use super::{
    DEPTH_MAX, is_too_deep,
    node::{Kind, Node},
};

/// Whether every placeholder in a packet's JSON has its attachment, as Node's parser demands. JSON that is nested too
/// deeply passes: the packet is refused later for that.
pub(crate) fn are_placed(json: &str, attachments: usize) -> bool {
    if is_too_deep(json, DEPTH_MAX + 1) {
        return true;
    }
    Node::parse(json).is_some_and(|node| node.is_placed(attachments))
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
    fn is_placed(&self, attachments: usize) -> bool {
        let mut places = Vec::new();
        self.places(&mut places);
        places.iter().all(|place| place.number().is_some_and(|number| number < attachments))
    }

    /// All placeholders, in the order of the text. Placeholders inside of placeholders do not count.
    fn places<'n>(&'n self, places: &mut Vec<&'n Node<'a>>) {
        match &self.kind {
            Kind::Array(items) => items.iter().for_each(|item| item.places(places)),
            Kind::Object(_) if self.is_placeholder() => places.push(self),
            Kind::Object(members) => members.iter().for_each(|(_, member)| member.places(places)),
            _ => {}
        }
    }

    /// The index of the attachment, if this is a placeholder.
    fn number(&self) -> Option<usize> {
        let number = self.member("num").filter(|number| matches!(number.kind, Kind::Number))?;
        number.text.parse().ok()
    }

    fn is_placeholder(&self) -> bool {
        self.member("_placeholder").is_some_and(|member| matches!(member.kind, Kind::Bool(true)))
    }

    /// The last member of this name, as in JavaScript.
    fn member(&self, name: &str) -> Option<&Self> {
        let Kind::Object(members) = &self.kind else { return None };
        members.iter().rev().find(|(key, _)| key == name).map(|(_, member)| member)
    }
}
