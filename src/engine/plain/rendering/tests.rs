//! Packets rendered for clients of plain WebSocket.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value as Json, json};

use super::*;
use crate::engine::offset::Offsets;

fn settings(text_event: &str, saved_event: Option<&'static str>) -> PlainSettings {
    PlainSettings {
        ping_interval: Duration::from_secs(20),
        idle_timeout: Duration::from_secs(30),
        text_event: text_event.to_owned(),
        saved_event,
        open_at_once: false,
    }
}

fn written(frame: Option<Arc<Frame>>) -> Option<String> {
    frame.map(|frame| frame.text(Protocol::Plain))
}

#[test]
fn an_envelope_has_the_arguments_unchanged_and_no_offset() {
    let offsets = Offsets::new();
    let envelope = |json| written(super::envelope(&Frame::event("/", None, json, Vec::new(), Some(&offsets))));
    let expected = r#"{"eventType":"ServerEvent","event":"a","data":{"n" : 1.00}}"#;
    assert_eq!(envelope(r#"["a", {"n" : 1.00}]"#).as_deref(), Some(expected));
    assert_eq!(envelope(r#"["a"]"#).as_deref(), Some(r#"{"eventType":"ServerEvent","event":"a","data":null}"#));
    assert_eq!(
        envelope(r#"["a",1,"b"]"#).as_deref(),
        Some(r#"{"eventType":"ServerEvent","event":"a","data":[1,"b"]}"#)
    );
}

#[test]
fn an_attachment_with_several_placeholders_is_inserted_once() {
    let place = r#"{"_placeholder":true,"num":0}"#;
    let json = format!(r#"["a",[{place}, 1.00,"\ud83d",{place}]]"#);
    let frame = Frame::event("/", None, &json, vec![Bytes::from_static(b"hello")], None);
    let expected = r#"{"eventType":"ServerEvent","event":"a","data":["aGVsbG8=", 1.00,"\ud83d",null]}"#;
    assert_eq!(written(super::envelope(&frame)).as_deref(), Some(expected));
}

#[test]
fn only_events_have_envelopes() {
    for frame in
        [Frame::connect("/", None), Frame::disconnect("/"), Frame::connect_error("/", "{}"), Frame::control(9, &[])]
    {
        assert!(super::envelope(&frame).is_none());
        assert!(!frame.is_ack());
    }
    assert!(Frame::ack("/", 7, "[]", Vec::new()).is_ack());
}

#[test]
fn only_an_event_with_one_string_is_a_bare_text() {
    let settings = settings("chat", None);
    let bare = |json| written(bare_text(&Frame::event("/", None, json, Vec::new(), None), &settings));
    assert_eq!(bare(r#"["message","a\u00e9\"\n"]"#).as_deref(), Some("aé\"\n"));
    assert_eq!(bare(r#"["chat",""]"#).as_deref(), Some(""));
    assert_eq!(bare(r#"["message","a\ud83d"]"#).as_deref(), Some("a\u{fffd}"), "half an emoji");
    for json in [
        r#"["message",1]"#,
        r#"["message","a","b"]"#,
        r#"["message"]"#,
        r#"["message",{"_placeholder":true,"num":0}]"#,
        r#"["session","a"]"#,
        r#"["message-saved",{"success":true,"message":{"body":{"value":"a"}}}]"#,
    ] {
        assert_eq!(bare(json), None, "{json}");
    }
    let asks = Frame::event("/", Some(1), r#"["message","a"]"#, Vec::new(), None);
    assert!(bare_text(&asks, &settings).is_none(), "a bare text cannot ask for an acknowledgement");
}

#[test]
fn a_saved_message_is_its_text_or_the_json_of_its_body() {
    let settings = settings("send-message", Some("message-saved"));
    let saved = |body: &str| {
        let json = format!(r#"["message-saved",{{"success":true,"message":{{"id":"x","body":{body}}}}}]"#);
        written(bare_text(&Frame::event("/", None, &json, Vec::new(), None), &settings))
    };
    assert_eq!(saved(r#"{"value":"a\nb"}"#).as_deref(), Some("a\nb"));
    for body in [r#"{"value":1.0}"#, r#"{"value":"a","more":1}"#, r#"{ "text":"a"}"#, "{}"] {
        assert_eq!(saved(body).as_deref(), Some(body));
    }
}

proptest! {
    #[test]
    fn an_envelope_has_the_name_and_the_arguments_of_its_packet(
        name in "\\PC{1,20}",
        arguments in vec("\\PC{0,200}", 0..3),
        ack in option::of(any::<u64>()),
        attachments in vec(vec(any::<u8>(), 0..200), 0..3),
        is_numbered in any::<bool>(),
    ) {
        let mut list = vec![json!(name)];
        list.extend(arguments.iter().map(|argument| json!(argument)));
        let mut inlined = list.clone();
        for (num, bytes) in attachments.iter().enumerate() {
            list.push(json!({ "deep": [{ "_placeholder": true, "num": num }] }));
            inlined.push(json!({ "deep": [STANDARD.encode(bytes)] }));
        }
        let attachments = attachments.into_iter().map(Bytes::from).collect();
        let offsets = (is_numbered && ack.is_none()).then(Offsets::new);
        let frame = Frame::event("/", ack, &Json::from(list).to_string(), attachments, offsets.as_ref());
        let envelope = frame.envelope(super::envelope).expect("it is an event");
        let data = match &inlined[1..] {
            [] => Json::Null,
            [one] => one.clone(),
            several => several.into(),
        };
        let mut expected = json!({ "eventType": "ServerEvent", "event": name, "data": data });
        if let Some(id) = ack {
            expected["requestId"] = json!(id);
        }
        let text = envelope.text(Protocol::Plain);
        prop_assert_eq!(serde_json::from_str::<Json>(&text).expect("JSON"), expected);
        prop_assert!(envelope.websocket_bytes(Protocol::Plain).ends_with(text.as_bytes()));
        prop_assert!(Arc::ptr_eq(envelope, frame.envelope(super::envelope).expect("it is an event")), "written once");
    }
}
