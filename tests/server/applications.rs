//! Payloads of an application (emits, replies, arguments) that its clients could not parse.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use sockeye::{Args, Arguments, ClientEvent, Ctx, Encoded, Outgoing, Raw, Result, ServerEvent, To};

use crate::{client::Client, harness::TestServer, input::text_of};

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// The events an application tries to emit, each with a name.
#[derive(Deserialize)]
struct Try(String);

impl ClientEvent for Try {
    const NAME: &'static str = "try";
}

#[derive(Serialize)]
struct Reserved {}

impl ServerEvent for Reserved {
    const NAME: &'static str = "connect_error";
}

/// A map whose keys JSON cannot have.
#[derive(Serialize)]
struct Unwritable(std::collections::BTreeMap<Vec<u8>, u8>);

impl ServerEvent for Unwritable {
    const NAME: &'static str = "unwritable";
}

#[derive(Serialize)]
struct Deep(Box<RawValue>);

impl ServerEvent for Deep {
    const NAME: &'static str = "deep";
}

/// The error code that the application gets, or "none".
async fn tried(ctx: Ctx, Try(what): Try) -> Result<Raw<&'static str>> {
    let bytes = |count| vec![bytes::Bytes::from_static(b"x"); count];
    let to = To::Socket(ctx.socket_id());
    let raw = |json: &str, count| Encoded::new(json, bytes(count)).map(|event| Outgoing::new(to, event));
    let unwritable = Unwritable([(vec![1], 1)].into());
    let hub = ctx.hub();
    let attempt = match what.as_str() {
        "reserved" => ctx.emit(&Reserved {}),
        "reserved, to nobody" => {
            hub.emit(To::Everyone, &Reserved {}).and_then(|()| ctx.emit_to_room("nobody", &Reserved {}))
        }
        "reserved, with an answer" => ctx.ask(&Reserved {}, std::time::Duration::from_secs(9)).await.map(drop),
        "reserved, encoded" => Encoded::of(&Reserved {}).map(drop),
        "unwritable" => hub.emit_except(To::Everyone, ctx.socket_id(), &unwritable),
        "deep" => ctx.emit(&Deep(RawValue::from_string(nested(2_000)).unwrap())),
        "raw: reserved" => raw(r#"["disconnect",1]"#, 0).map(drop),
        "raw: broken" => raw(r#"["a",{]"#, 0).map(drop),
        "raw: no array" => raw(r#"{"a":1}"#, 0).map(drop),
        "raw: no name" => raw("[]", 0).map(drop),
        "raw: no attachment" => raw(r#"["a",{"_placeholder":true,"num":1}]"#, 1).map(drop),
        "raw: deep" => raw(&format!(r#"["a",{}]"#, nested(1_001)), 0).map(drop),
        "too many attachments" => hub.send(&raw(r#"["a"]"#, 11)?).map(drop),
        "too many attachments, with an answer" => {
            hub.ask_all(&raw(r#"["a"]"#, 11)?, std::time::Duration::from_secs(9)).await.map(drop)
        }
        "fine" => hub.send(&raw(&format!(r#" ["fine",{}] "#, nested(1_000)), 10)?).map(drop),
        _ => ctx.emit(&Deep(RawValue::from_string(nested(1_000)).unwrap())),
    };
    Ok(Raw(attempt.map_or_else(|error| error.code().as_str(), |()| "emitted")))
}

/// An acknowledgement that clients cannot parse.
#[derive(Deserialize)]
struct Acknowledge(usize, String);

impl ClientEvent for Acknowledge {
    const NAME: &'static str = "acknowledge";

    fn from_args(args: &Args<'_>) -> Result<Self> {
        args.tuple()
    }
}

async fn acknowledge(_: Ctx, Acknowledge(count, json): Acknowledge) -> Result<Arguments> {
    Ok(Arguments::new(json, vec![bytes::Bytes::from_static(b"x"); count]))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_clients_cannot_parse_is_an_error_for_the_application() {
    let server = TestServer::with(|_| (), |server| server.on(tried).on(acknowledge)).await;
    let mut ada = Client::named(server.address, "Ada").await;
    for (what, outcome) in [
        ("reserved", "unavailable"),
        ("reserved, to nobody", "unavailable"),
        ("reserved, with an answer", "unavailable"),
        ("reserved, encoded", "unavailable"),
        ("unwritable", "unavailable"),
        ("deep", "unavailable"),
        ("raw: reserved", "bad-payload"),
        ("raw: broken", "bad-payload"),
        ("raw: no array", "bad-payload"),
        ("raw: no name", "bad-payload"),
        ("raw: no attachment", "bad-payload"),
        ("raw: deep", "bad-payload"),
        ("too many attachments", "too-large"),
        ("too many attachments, with an answer", "too-large"),
    ] {
        assert_eq!(ada.ask("try", json!(what)).await, outcome, "{what}");
    }
    for event in ["connect_error", "unwritable", "deep", "disconnect", "a"] {
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

/// A payload of any JSON, deserialized and serialized again.
#[derive(Deserialize)]
struct Any(Value);

impl ClientEvent for Any {
    const NAME: &'static str = "any";
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_reads_a_thousand_levels_and_lone_surrogates() {
    let server = TestServer::with(|_| (), |server| server.on(async |_: Ctx, Any(value): Any| Ok(Raw(value)))).await;
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
