//! Tests of parsing and writing envelopes.

use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value as Json, json};

use super::*;
use crate::engine::version::Protocol;

fn text(frame: &Frame) -> Json {
    serde_json::from_str(&frame.text(Protocol::Plain)).expect("JSON")
}

fn reply_fields(envelope: &str) -> ReplyFields {
    match ClientEnvelope::parse(envelope) {
        Ok(
            ClientEnvelope::Event { reply_fields, .. }
            | ClientEnvelope::Register(reply_fields, _)
            | ClientEnvelope::Heartbeat(reply_fields),
        ) => reply_fields,
        _ => panic!("{envelope} is none of these"),
    }
}

#[test]
fn only_pascal_case_becomes_kebab_case() {
    assert_eq!(kebab("SendMessage").as_deref(), Some("send-message"));
    assert_eq!(kebab("Typing").as_deref(), Some("typing"));
    assert_eq!(kebab("Room2Room").as_deref(), Some("room2-room"));
    for name in ["", "send-message", "sendMessage", "Send-Message", "Send Message", "Émile", "9Lives"] {
        assert_eq!(kebab(name), None, "{name}");
    }
}

#[test]
fn an_absent_field_differs_from_null() {
    let data = |envelope| match ClientEnvelope::parse(envelope) {
        Ok(ClientEnvelope::Event { data, .. }) => data.map(RawValue::get),
        _ => panic!("{envelope} is no event"),
    };
    assert_eq!(data(r#"{"eventType":"ClientEvent","event":"a"}"#), None);
    assert_eq!(data(r#"{"eventType":"ClientEvent","event":"a","requestData":null}"#), Some("null"));
    assert_eq!(
        data(r#" { "requestData" : [1.00] , "event":"a", "x":{}, "eventType":"ClientEvent" } "#),
        Some("[1.00]")
    );
}

#[test]
fn only_a_heartbeat_may_omit_the_event_type() {
    assert!(matches!(ClientEnvelope::parse(r#"{"event":"Heartbeat"}"#), Ok(ClientEnvelope::Heartbeat(_))));
    assert!(ClientEnvelope::parse(r#"{"event":"Register"}"#).is_err());
    assert!(ClientEnvelope::parse(r#"{"eventType":"ServerEvent","event":"Heartbeat"}"#).is_err());
}

#[test]
fn a_request_id_or_event_that_is_no_short_scalar_is_refused() {
    let envelope =
        |event: &str, id: &str| format!(r#"{{"eventType":"ClientEvent","event":"{event}","requestId":{id}}}"#);
    for (event, id) in [("a", "{}"), ("a", "[1]"), (&*"x".repeat(255), "1"), ("a", &*"1".repeat(257))] {
        assert!(
            matches!(ClientEnvelope::parse(&envelope(event, id)), Err(EnvelopeError::InvalidField(..))),
            "{event} {id}"
        );
    }
    assert!(ClientEnvelope::parse(&envelope(&"x".repeat(254), &"1".repeat(256))).is_ok());
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    for (envelope, expected) in [
        (r#"{"eventType":"ClientEvent"}"#, "event is missing"),
        (r#"{"eventType":"ClientEvent","event":7}"#, "event must be a string, not 7"),
        (r#"{"eventType":"ClientEvent","event":null,"requestId":1}"#, "event must be a string, not null"),
        (r#"{"eventType":"Reply","data":1}"#, "requestId must be the number of the event that is answered, not null"),
        (
            r#"{"eventType":"Reply","requestId":"1"}"#,
            "requestId must be the number of the event that is answered, not a string",
        ),
    ] {
        let Err(EnvelopeError::InvalidField(_, sentence)) = ClientEnvelope::parse(envelope) else {
            panic!("{envelope}")
        };
        assert_eq!(sentence, expected);
    }
    for text in [r#"{"event":7}"#, r#"{"eventType":7,"event":"a"}"#, r#"{"eventType":"chat"}"#, "[]", "{"] {
        assert!(matches!(ClientEnvelope::parse(text), Err(EnvelopeError::NotAnEnvelope)), "{text} is a bare text");
    }
    let half = r#"{"\ud83d":1,"eventType":"ClientEvent","event":"a\ud83d"}"#;
    assert!(matches!(ClientEnvelope::parse(half), Ok(ClientEnvelope::Event { name, .. }) if name == "a\u{fffd}"));
}

#[test]
fn an_enveloped_reply_is_sent_unchanged_and_other_arguments_become_its_data() {
    let outcome = |arguments: &str| {
        let arguments: Vec<&RawValue> = serde_json::from_str(arguments).expect("an array");
        super::outcome(&arguments).into_owned()
    };
    for ours in [r#"{"success":true,"data":[1, 2.0]}"#, r#"{"success":false,"error":{"code":"conflict","message":""}}"#]
    {
        assert_eq!(outcome(&format!("[{ours}]")), ours);
    }
    assert_eq!(
        outcome(r#"[{"success":true,"data":1,"more":2}]"#),
        r#"{"success":true,"data":{"success":true,"data":1,"more":2}}"#
    );
    assert_eq!(outcome(r#"["ok", 1]"#), r#"{"success":true,"data":["ok",1]}"#);
    assert_eq!(outcome("[]"), r#"{"success":true,"data":null}"#);
}

#[test]
fn replies_of_the_enveloped_form_are_recognised_as_replies() {
    use crate::protocol::ReplyForm;
    for result in [Ok(json!({ "a": 1 })), Ok(Json::Null), Err(Error::TokenExpired(None))] {
        let (arguments, _) = ReplyForm::Enveloped.acknowledgement(result);
        let arguments: Vec<&RawValue> = serde_json::from_str(&arguments.json).expect("an array");
        assert!(is_reply(arguments[0].get()), "{}", arguments[0]);
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*") {
        drop(ClientEnvelope::parse(&text));
    }

    #[test]
    fn no_members_make_the_parser_panic(
        members in vec((
            prop::sample::select(vec!["eventType", "event", "requestId", "requestData", "data", "x"]),
            prop::sample::select(vec![
                "\"ClientEvent\"", "\"Reply\"", "\"Register\"", "\"a\\u0062\"", "\"\\ud800\"", "\"", "7", "-", "null", "{}", "[",
            ]),
        ), 0..6),
    ) {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        drop(ClientEnvelope::parse(&format!("{{{}}}", members.join(","))));
    }

    #[test]
    fn a_name_in_pascal_case_becomes_its_words_in_kebab_case(words in vec("[a-z][a-z0-9]{0,8}", 1..4)) {
        let pascal: String = words.iter().map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        prop_assert_eq!(kebab(&pascal), Some(words.join("-")));
    }

    #[test]
    fn a_reply_repeats_event_and_request_id(event in "\\PC{0,40}", id in option::of("\\PC{0,40}"), is_done in any::<bool>()) {
        let mut envelope = json!({ "eventType": "ClientEvent", "event": event });
        if let Some(id) = &id {
            envelope["requestId"] = json!(id);
        }
        let outcome = if is_done { done("[1]") } else { failed(&error(&Error::TokenExpired(None))) };
        let written = text(&reply(Some(&reply_fields(&envelope.to_string())), &outcome));
        let mut expected: Json = serde_json::from_str(&outcome).expect("JSON");
        expected["eventType"] = json!("Reply");
        expected["event"] = json!(event);
        if let Some(id) = id {
            expected["requestId"] = json!(id);
        }
        prop_assert_eq!(written, expected);
    }
}
