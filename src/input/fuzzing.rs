//! What the fuzz target `json` calls: it panics where a reader of JSON breaks its word.

use serde_json::{Value, value::RawValue};

use super::{Object, are_placed, decoded, is_too_deep, node::Node, read, read_strictly, replaced};

/// What serde_json takes for JSON is read, and nothing else is; what serde_json makes a value of, is made the same.
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
    // A packet's placeholders are looked at before the rest of it is.
    let with_nothing = replaced(text, |_| "0".to_owned());
    assert!(!is_json || serde_json::from_str::<&RawValue>(&with_nothing).is_ok(), "{text:?}: {with_nothing:?}");
    assert!(are_placed(&with_nothing, 0) || !is_json, "{text:?}: no placeholder is left in {with_nothing:?}");
}
