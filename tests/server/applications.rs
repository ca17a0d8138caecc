//! Payloads of an application (emits, replies, arguments) that its clients could not parse.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use sockeye::{Arguments, Ctx, Raw, Result, ServerEvent};

use crate::{client::Client, harness::TestServer, input::text_of};

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[derive(Serialize)]
struct Reserved {}

impl ServerEvent for Reserved {
    const NAME: &'static str = "connect_error";
}

/// The error code that the application gets, or "emitted".
async fn tried(ctx: Ctx, what: String) -> Result<Raw<&'static str>> {
    let raw = |json: &str, count| Arguments::new(json, vec![bytes::Bytes::from_static(b"x"); count]);
    let deep = |levels| RawValue::from_string(nested(levels)).unwrap();
    // A map whose keys JSON cannot have.
    let unwritable = BTreeMap::from([(vec![1_u8], 1_u8)]);
    let everyone = ctx.nsp();
    let attempt = match what.as_str() {
        "reserved" => ctx.emit("connect", 1),
        "reserved, by its type" => ctx.emit_event(&Reserved {}),
        "reserved, to nobody" => everyone.to("nobody").emit("disconnect", ()),
        "reserved, to nobody, by its type" => everyone.to("nobody").emit_event(&Reserved {}),
        "reserved, with an answer" => ctx.emit_with_ack::<Value>("connect", ()).await.map(drop),
        "unwritable" => ctx.emit("unwritable", unwritable),
        "deep" => ctx.emit("deep", deep(2_000)),
        "raw: broken" => ctx.emit("a", raw("[{]", 0)),
        "raw: no array" => ctx.emit("a", raw(r#"{"a":1}"#, 0)),
        "raw: no attachment" => ctx.emit("a", raw(r#"[{"_placeholder":true,"num":1}]"#, 1)),
        "raw: deep" => ctx.emit("a", raw(&format!("[{}]", nested(1_001)), 0)),
        "too many attachments" => ctx.emit("a", raw("[]", 11)),
        "too many attachments, with an answer" => everyone.emit_with_ack::<Value>("a", raw("[]", 11)).await.map(drop),
        "fine" => ctx.emit("fine", raw(&format!(" [{}] ", nested(1_000)), 10)),
        _ => ctx.emit("deep", deep(1_000)),
    };
    Ok(Raw(attempt.map_or_else(|error| error.code().as_str(), |()| "emitted")))
}

/// An acknowledgement that clients cannot parse.
async fn acknowledge(_: Ctx, (count, json): (usize, String)) -> Result<Arguments> {
    Ok(Arguments::new(json, vec![bytes::Bytes::from_static(b"x"); count]))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_clients_cannot_parse_is_an_error_for_the_application() {
    let server = TestServer::with(|_| (), |server| server.on("try", tried).on("acknowledge", acknowledge)).await;
    let mut ada = Client::named(server.address, "Ada").await;
    for (what, outcome) in [
        ("reserved", "unavailable"),
        ("reserved, by its type", "unavailable"),
        ("reserved, to nobody", "unavailable"),
        ("reserved, to nobody, by its type", "unavailable"),
        ("reserved, with an answer", "unavailable"),
        ("unwritable", "unavailable"),
        ("deep", "unavailable"),
        ("raw: broken", "unavailable"),
        ("raw: no array", "unavailable"),
        ("raw: no attachment", "unavailable"),
        ("raw: deep", "unavailable"),
        ("too many attachments", "too-large"),
        ("too many attachments, with an answer", "too-large"),
    ] {
        assert_eq!(ada.ask("try", json!(what)).await, outcome, "{what}");
    }
    for event in ["connect_error", "connect", "unwritable", "deep", "disconnect", "a"] {
        assert!(ada.kept(event).is_empty(), "{event}");
    }
    for (count, json) in [(0, "[1"), (0, "{}"), (11, "[1]"), (1, r#"[{"_placeholder":true,"num":1}]"#)] {
        ada.raw(&format!("427{}", json!(["acknowledge", count, json]))).await;
        let reply = ada.reply(7).await;
        assert_eq!(reply["success"], false, "{json}: {reply}");
    }
    ada.emit("try", json!("fine")).await;
    assert!(text_of(&mut ada, "fine").await.contains(&nested(1_000)));
    ada.emit("try", json!("deep, but not too deep")).await;
    assert!(text_of(&mut ada, "deep").await.contains(&nested(1_000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_reads_a_thousand_levels_and_lone_surrogates() {
    let server = TestServer::with(|_| (), |server| server.on("any", async |_, value: Value| Raw(value))).await;
    let mut ada = Client::named(server.address, "Ada").await;
    for (json, answer) in [
        (nested(1_000), nested(1_000)),
        (format!(r#"{{"a":{}}}"#, nested(999)), format!(r#"{{"a":{}}}"#, nested(999))),
        (r#"{"\ud83d":["a\ude00"]}"#.to_owned(), "{\"\u{fffd}\":[\"a\u{fffd}\"]}".to_owned()),
    ] {
        ada.raw(&format!(r#"421["any",{json}]"#)).await;
        loop {
            let text = ada.next_text().await;
            if let Some(heard) = text.strip_prefix("431") {
                assert_eq!(heard, format!("[{answer}]"));
                break;
            }
        }
    }
}
