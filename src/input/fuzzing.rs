//! The function of the fuzz target `json`. It panics if a JSON reader of this module misbehaves.

use serde_json::{Value, value::RawValue};

use super::{
    Object, are_placed, decoded, is_too_deep,
    node::Node,
    placeholders::{are_placed_in_tree, are_plainly_placed},
    read, read_strictly, replaced,
};

/// Checks that the readers accept the same texts as serde_json, and that they read the same values.
pub fn json(text: &str) {
    let is_json = serde_json::from_str::<&RawValue>(text).is_ok();
    let is_deep = is_too_deep(text, 100);
    let value = read_strictly::<Value>(text, "it");
    assert!(value.is_ok() == is_json || is_deep, "{text:?}: {value:?}");
    assert!(read::<Value>(text, "it").is_ok() == is_json || is_deep, "{text:?}");
    if let Ok(expected) = serde_json::from_str::<Value>(text) {
        assert_eq!(value, Ok(expected), "{text:?}");
    }
    assert_eq!(Object::of(text).is_some(), is_json && text.trim_start().starts_with('{'), "{text:?}");
    if is_json {
        let node = Node::parse(text).expect("it is JSON");
        assert_eq!(node.text, text.trim_matches([' ', '\t', '\n', '\r']), "{text:?}");
        assert_eq!(decoded(node.text).is_some(), text.trim_start().starts_with('"'), "{text:?}");
    }
    // Placeholders are read from packets that have not been checked.
    let with_nothing = replaced(text, |_| "0".to_owned());
    assert!(!is_json || serde_json::from_str::<&RawValue>(&with_nothing).is_ok(), "{text:?}: {with_nothing:?}");
    for attachments in 0..3 {
        let is_certain = is_json && are_plainly_placed(text.as_bytes(), attachments);
        assert!(!is_certain || are_placed_in_tree(text, attachments), "{text:?} with {attachments}");
    }
    assert!(are_placed(&with_nothing, 0) || !is_json, "{text:?}: no placeholder is left in {with_nothing:?}");
}
