//! Deserializing payloads, and the error messages.

use proptest::{collection::vec, prelude::*, sample::select};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{node::NodeKind, *};
use crate::model::{RoomRef, UserId};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bid {
    room: RoomRef,
    amount: Option<u64>,
    #[serde(default)]
    by: Vec<UserId>,
    #[serde(default)]
    is_last: bool,
}

fn refused(json: &str) -> String {
    read::<Bid>(json, "the payload").unwrap_err()
}

#[test]
fn sentences_name_the_field_what_is_expected_and_what_came() {
    for (json, sentence) in [
        ("7", "the payload must be an object, not 7"),
        (r#""x""#, "the payload must be an object, not a string"),
        (r#"["tea",1]"#, "the payload must be an object, not an array"),
        ("{}", "room is missing"),
        (r#"{"room":["tea"]}"#, "room must be a string or a whole number, not an array"),
        (r#"{"room":2.0}"#, "room must be a string or a whole number, not 2.0"),
        (r#"{"room":true}"#, "room must be a string or a whole number, not true"),
        (r#"{"room":""}"#, "room: a room's name must not be empty"),
        (r#"{"room":"a","amount":-1}"#, "amount must be a whole number of 0 or more, not -1"),
        (r#"{"room":"a","amount":"x"}"#, "amount must be a whole number of 0 or more, not a string"),
        (r#"{"room":"a","by":[1,{}]}"#, "by[1] must be a string or a whole number, not an object"),
        (r#"{"room":"a","by":"x"}"#, "by must be an array, not a string"),
        (r#"{"room":"a","isLast":1}"#, "isLast must be true or false, not 1"),
        (r#"{"room":"a","room":"b"}"#, "room is there twice"),
        (r#"{"room":"a","rum":"b"}"#, "rum is no field here: there are room, amount, by, isLast"),
        ("", "the payload is empty: it must be JSON"),
        (r#"{"room":"a""#, "the payload is not valid JSON (line 1, column 11)"),
        (r#"{"room":5 x}"#, "the payload is not valid JSON (line 1, column 11)"),
    ] {
        assert_eq!(refused(json), sentence, "{json}");
    }
}

#[test]
fn numbers_are_names_as_they_are_written() {
    for number in ["0", "2", "-7", "-0", "9999999999999999999", "-9999999999999999999"] {
        assert_eq!(read::<UserId>(number, "id").unwrap().as_str(), number);
        let bid: Bid = read(&format!(r#"{{"room":{number}}}"#), "the payload").unwrap();
        assert_eq!(bid.room.to_string(), number);
    }
    for number in ["2.0", "1e3", "10000000000000000000", "18446744073709551616", "-1.5", "null", "false"] {
        assert!(read::<UserId>(number, "id").is_err(), "{number}");
    }
}

#[test]
fn half_a_surrogate_pair_is_read_as_nodes_clients_would_hear_it() {
    assert_eq!(decoded(r#""a\ud83d\ude00b""#).unwrap(), "a\u{1f600}b");
    for (json, text) in [
        (r#""a\ud83d""#, "a\u{fffd}"),
        (r#""\ude00\ud83db""#, "\u{fffd}\u{fffd}b"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
        (r#""\\ud83d\n\ud83d""#, "\\ud83d\n\u{fffd}"),
    ] {
        assert_eq!(decoded(json).unwrap(), text, "{json}");
        assert_eq!(read::<String>(json, "it").unwrap(), text);
        assert_eq!(read::<Value>(&format!(r#"{{{json}:[{json}]}}"#), "it").unwrap(), json!({ text: [text] }));
    }
}

#[test]
fn what_tells_one_thing_from_another_has_no_half_of_a_surrogate_pair() {
    for (json, sentence) in [
        (r#"{"room":"\ud83d"}"#, "room: half a surrogate pair is no character"),
        (r#"{"room":"tea","by":["u1","a\ude00"]}"#, "by[1]: half a surrogate pair is no character"),
    ] {
        assert_eq!(refused(json), sentence, "{json}");
    }
    assert_eq!(read::<Bid>(r#"{"room":"\ud83d\ude00 \ufffd"}"#, "it").unwrap().room.to_string(), "\u{1f600} \u{fffd}");

    #[derive(Debug, Deserialize)]
    struct Retried {
        #[serde(default, deserialize_with = "crate::model::idempotency_key")]
        key: Option<String>,
    }
    let key = |json: &str| read::<Retried>(json, "it").map(|retried| retried.key);
    assert_eq!(key(r#"{"key":"\ud83d\ude00"}"#), Ok(Some("\u{1f600}".to_owned())));
    assert_eq!((key("{}"), key(r#"{"key":null}"#)), (Ok(None), Ok(None)));
    assert_eq!(key(r#"{"key":"\ud83d"}"#), Err("key: half a surrogate pair is no character".to_owned()));
    assert_eq!(key(r#"{"key":7}"#), Err("key must be a string, not 7".to_owned()));
}

#[test]
fn a_thousand_levels_are_read_and_one_more_is_not() {
    let nested = |levels| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let within = |inner: &str| format!(r#"{{"a":{inner}}}"#);
    for json in [nested(130), nested(DEPTH_MAX), within(&nested(DEPTH_MAX - 1))] {
        assert!(!is_too_deep(&json, DEPTH_MAX));
        let value: Value = read(&json, "it").unwrap();
        assert_eq!(value.to_string(), json);
    }
    assert!(is_too_deep(&nested(DEPTH_MAX + 1), DEPTH_MAX));
    assert!(is_too_deep(&within(&nested(DEPTH_MAX)), DEPTH_MAX));
    assert!(!is_too_deep(&format!(r#"["{}"]"#, nested(5_000)), DEPTH_MAX), "in a string they are none");
    assert!(!is_too_deep(&format!("[{}]", vec!["[]"; 5_000].join(",")), DEPTH_MAX), "beside each other");
    assert_eq!(read::<Value>(&nested(100_000), "it"), Err(depth::sentence("it")));
}

#[test]
fn what_is_kept_as_text_stays_as_it_is() {
    #[derive(Deserialize)]
    struct Kept {
        raw: Box<RawValue>,
    }
    let Kept { raw } = read(r#"{"raw": {"n":1.00,"x":"\ud83d" } ,"\ud83d":0}"#, "it").unwrap();
    assert_eq!(raw.get(), r#"{"n":1.00,"x":"\ud83d" }"#);
}

#[test]
fn placeholders_have_their_attachments() {
    for json in [
        r#"["a",{"_placeholder":true,"num":0}]"#,
        r#"["a",{"num":1,"_placeholder":true},{"_placeholder":false}]"#,
        r#"["\ud83d",{"_placeholder":true,"num":0,"x":{"_placeholder":true}}]"#,
        r#"["a",{"_placeholder":true,"num":9,"num":1}]"#,
        r#"["a",{"b":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]"#,
        r#"["_placeholder","{\"_placeholder\":true,\"num\":2}"]"#,
        r#"["a",{"_placeholder":true,"num":1,"x":{"_placeholder":true,"num":2}}]"#,
    ] {
        assert!(are_placed(json, 2), "{json}");
    }
    for json in [
        r#"["a",{"_placeholder":true,"num":2}]"#,
        r#"["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":2}]"#,
        r#"["a",{"_placeholder":true,"num":0},{"_placeh\u006flder":true,"num":2}]"#,
        r#"["a",{"_placeholder":true,"num":0},{ "_placeholder":true,"num":2}]"#,
        r#"["a",{"_placeholder":true,"num":0,"num":2}]"#,
        r#"["a",{"_placeholder":true,"num":99999999999999999999}]"#,
        r#"["a",[[{"_placeholder":true}]]]"#,
        r#"["a",{"_placeholder":true,"num":-1}]"#,
        r#"["a",{"_placeholder":true,"num":"0"}]"#,
        r#"["a",{"_placeholder":true,"num":0.5}]"#,
        r#"["a",{"_placeh\u006flder":true,"num":2}]"#,
        r#"["a",{"_placeholder":false,"num":2,"_placeholder":true}]"#,
    ] {
        assert!(!are_placed(json, 2), "{json}");
    }
}

#[test]
fn queries_are_read_with_numbers_as_texts() {
    #[derive(Debug, Deserialize)]
    struct Page {
        after: Option<UserId>,
        limit: Option<u64>,
        online: Option<bool>,
    }
    let Page { after, limit, online } = read_query("after=7&limit=20&online=true&x=1").unwrap();
    assert_eq!((after.unwrap().as_str(), limit, online), ("7", Some(20), Some(true)));
    for (query, sentence) in [
        ("limit=x", r#"limit must be a whole number of 0 or more, not "x""#),
        ("limit=", r#"limit must be a whole number of 0 or more, not """#),
        ("limit=1&limit=2", "limit is there twice"),
        ("online=yes", r#"online must be true or false, not "yes""#),
        ("after=%01", "after: a user id must not contain control characters"),
    ] {
        assert_eq!(read_query::<Page>(query).unwrap_err(), sentence);
    }
    assert!(Fields::of("a=1&b=2&a=3").get("a").is_err());
    assert_eq!(Fields::of("a=1&b=2&a=3").get("b"), Ok(Some("2")));
}

fn json_text() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..8).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn everything_is_read_as_serde_json_reads_it(value in json_text(), is_spread in any::<bool>()) {
        let text = if is_spread { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        prop_assert_eq!(&read_strictly::<Value>(&text, "it").unwrap(), &value);
        let node = Node::parse(&text).unwrap();
        prop_assert_eq!(node.text, &text);
        if let NodeKind::Array(items) = &node.kind {
            prop_assert_eq!(items.len(), value.as_array().unwrap().len());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(pieces in vec(select(PIECES.to_vec()), 0..12), cut in any::<usize>()) {
        let text = pieces.concat();
        fuzzing::json(&text);
        fuzzing::json(&text[..text.floor_char_boundary(cut % (text.len() + 1))]);
    }
}

/// What JSON, and nearly JSON, is made of.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\"a\"",
    "\"\\ud83d\"",
    "\"\\u00",
    "\\ude00",
    "é",
    "\u{1f600}",
    "1",
    "-",
    "2.0",
    "e",
    "null",
    "tru",
    "e",
    " ",
    "{\"_placeholder\":true,\"num\":",
    "{\"a\":[1]}",
];
