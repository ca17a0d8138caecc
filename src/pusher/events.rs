//! Triggers events on channels and to users.

use std::sync::Arc;

use axum::{Json, extract::State};
use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{
    channel::Channel,
    info::{Counts, Info},
    request::SignedRequest,
    response::PusherResult,
    socket_id,
};
use crate::{
    app::App,
    error::{Error, Result},
    hub::{Encoded, Outgoing, To},
    input::check_depth,
    model::{SocketId, keyed},
    protocol,
};

/// Maximal number of channels of one event.
const CHANNELS_MAX: usize = 100;
/// Maximal number of events in one batch.
const BATCH_MAX: usize = 10;
/// Maximal number of characters of an event's name.
const NAME_MAX: usize = 200;
/// Prefixes of Pusher's own events.
const OWN_EVENTS: [&str; 2] = ["pusher:", "pusher_internal:"];

/// An event in the form in which the libraries send it.
#[derive(Deserialize)]
struct Trigger {
    name: String,
    data: String,
    channels: Option<Vec<Name>>,
    channel: Option<Name>,
    socket_id: Option<String>,
    info: Option<String>,
}

/// A channel's name: a string or a whole number.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        keyed(deserializer, |name| Ok(Self(name.to_owned())))
    }
}

#[derive(Deserialize)]
struct Batch {
    batch: Vec<Trigger>,
}

/// The attributes that `info` asks for, by channel.
#[derive(Serialize)]
pub(super) struct TriggerResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<IndexMap<String, Counts>>,
}

/// The attributes that `info` asks for, in the order of the events.
#[derive(Serialize)]
pub(super) struct BatchResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<Vec<Counts>>,
}

/// `POST /apps/{app}/events`: emits an event.
pub(super) async fn trigger(State(app): State<Arc<App>>, request: SignedRequest) -> PusherResult<TriggerResponse> {
    let event = Event::parse(request.json()?)?;
    event.send(&app)?;
    let counts = || event.counts(&app).map(|(name, counts)| (name.to_owned(), counts)).collect();
    Ok(Json(TriggerResponse { channels: event.info.is_any().then(counts) }))
}

/// `POST /apps/{app}/batch_events`: emits several events, or none if one of them is invalid.
pub(super) async fn trigger_batch(State(app): State<Arc<App>>, request: SignedRequest) -> PusherResult<BatchResponse> {
    let Batch { batch } = request.json()?;
    if batch.len() > BATCH_MAX {
        return Err(Error::BadPayload(format!("a batch has at most {BATCH_MAX} events")).into());
    }
    let events = batch.into_iter().map(Event::parse).collect::<Result<Vec<_>>>()?;
    if events.iter().any(|event| event.channels.len() != 1) {
        return Err(Error::BadPayload("an event of a batch has one channel".to_owned()).into());
    }
    events.iter().try_for_each(|event| event.send(&app))?;
    let counts = || events.iter().flat_map(|event| event.counts(&app)).map(|(_, counts)| counts).collect();
    Ok(Json(BatchResponse { batch: events.iter().any(|event| event.info.is_any()).then(counts) }))
}

/// A validated event.
struct Event {
    text: String,
    channels: Vec<(String, Channel)>,
    except: Option<SocketId>,
    info: Info,
}

impl Event {
    fn parse(trigger: Trigger) -> Result<Self> {
        let Trigger { name, data, channels, channel, socket_id, info } = trigger;
        check_name(&name)?;
        let names: Vec<_> = channels.into_iter().flatten().chain(channel).collect();
        if names.is_empty() || names.len() > CHANNELS_MAX {
            return Err(Error::BadPayload(format!("an event has 1 to {CHANNELS_MAX} channels")));
        }
        let mut asked = Info::default();
        let mut channels = Vec::with_capacity(names.len());
        for Name(name) in names {
            let channel = Channel::parse(&name)?;
            asked = Info::parse(info.as_deref(), &name)?;
            if asked.is_any() && matches!(channel, Channel::User(_)) {
                return Err(Error::BadPayload("info is for channels, not for users".to_owned()));
            }
            channels.push((name, channel));
        }
        let except = socket_id.as_deref().map(socket_id::parse).transpose()?;
        Ok(Self { text: text(&name, &data)?, channels, except, info: asked })
    }

    /// Emits the event. A socket in several of the channels receives it once.
    fn send(&self, app: &App) -> Result<()> {
        let to: Vec<To<'_>> = self.channels.iter().map(|(_, channel)| channel.to()).collect();
        let mut outgoing = Outgoing::new(To::Any(&to), Encoded::received(self.text.clone(), Vec::new()));
        if let Some(except) = self.except {
            outgoing = outgoing.except(except);
        }
        app.hub.send(&outgoing).map(drop)
    }

    /// The attributes that `info` asks for, by channel.
    fn counts(&self, app: &App) -> impl Iterator<Item = (&str, Counts)> {
        self.channels.iter().map(|(name, channel)| {
            let counts = match channel {
                Channel::Room(room) => self.info.of(app, room),
                Channel::User(_) => Counts::default(),
            };
            (name.as_str(), counts)
        })
    }
}

/// Refuses the names of events that only the server itself may send.
fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(Error::BadPayload(format!("an event's name has 1 to {NAME_MAX} characters")));
    }
    if protocol::is_reserved(name) || OWN_EVENTS.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(Error::BadPayload(format!("{name} is an event of the server's own")));
    }
    Ok(())
}

/// The JSON array of the event to emit. If `data` is JSON text, it is used byte for byte, otherwise as a string.
fn text(name: &str, data: &str) -> Result<String> {
    let text = match serde_json::from_str::<&RawValue>(data) {
        Ok(value) => {
            check_depth(data, "data").map_err(Error::BadPayload)?;
            serde_json::to_string(&(name, value))
        }
        Err(_) => serde_json::to_string(&(name, data)),
    };
    Ok(text.expect("text can be written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, data: &str) -> String {
        text(name, data).unwrap()
    }

    fn parse(json: &str) -> Result<Event> {
        Event::parse(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn data_that_is_json_is_emitted_byte_for_byte() {
        assert_eq!(
            written("a", r#"{"n":1.00,"big":12345678901234567890, "é":"\u00e9"}"#),
            r#"["a",{"n":1.00,"big":12345678901234567890, "é":"\u00e9"}]"#
        );
        assert_eq!(written("a", "[1, 2 ]"), r#"["a",[1, 2 ]]"#);
        assert_eq!(written("a", "null"), r#"["a",null]"#);
        assert_eq!(written("a", r#""\ud83d""#), r#"["a","\ud83d"]"#, "half an emoji");
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(written("a", &deep(1_000)), format!(r#"["a",{}]"#, deep(1_000)));
        assert!(text("a", &deep(1_001)).is_err());
    }

    #[test]
    fn data_that_is_not_json_is_emitted_as_a_string() {
        for data in ["", "hello", "{", "1 2", "\"", "undefined", "{\"a\":1}}", "\u{1e}\n"] {
            assert_eq!(written("a", data), serde_json::to_string(&("a", data)).unwrap());
        }
    }

    #[test]
    fn an_event_name_is_escaped() {
        assert_eq!(written("\"],[", "1"), r#"["\"],[",1]"#);
    }

    #[test]
    fn names_of_the_servers_own_events_are_refused() {
        let long = "x".repeat(201);
        for name in [
            "message-saved",
            "session",
            "join-room",
            "connect",
            "disconnect",
            "pusher:error",
            "pusher_internal:x",
            "",
            &long,
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for name in ["message", "client-x", "pusher", &"é".repeat(200)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn channels_are_rooms_or_users() {
        for channel in ["orders", "private-x", "presence-x", "#tea", "#server-to-user-user with space"] {
            assert!(parse(&format!(r#"{{"name":"a","data":"","channel":"{channel}"}}"#)).is_ok(), "{channel}");
        }
        for channel in ["", " ", "dm:bob", "\\u0001dm:3:ada:bob", "#server-to-user-", "#server-to-user-\\u0001"] {
            assert!(parse(&format!(r#"{{"name":"a","data":"","channel":"{channel}"}}"#)).is_err(), "{channel}");
        }
        assert!(parse(r#"{"name":"a","data":""}"#).is_err());
        assert!(parse(r#"{"name":"a","data":"","channels":[]}"#).is_err());
    }

    #[test]
    fn an_event_has_at_most_100_channels() {
        let channels = |count| serde_json::to_string(&vec!["orders"; count]).unwrap();
        assert!(parse(&format!(r#"{{"name":"a","data":"","channels":{}}}"#, channels(100))).is_ok());
        assert!(parse(&format!(r#"{{"name":"a","data":"","channels":{}}}"#, channels(101))).is_err());
    }
}
