//! Validates an event and emits it.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use indexmap::IndexSet;
use serde_json::value::RawValue;

use super::{BATCH_MAX, Emitted, Event, NamedRoom, replies::Once};
use crate::{
    app::App,
    config::LimitsConfig,
    error::{Error, Result},
    hub::{self, Encoded, Hub, Outgoing},
    input,
    model::{Room, SocketId, UserId, checked_name},
    protocol::{self, Failure},
};

/// The longest time to wait for acknowledgements.
const ACK_MAX_MS: u64 = 60_000;

/// A validated event.
pub(super) struct Emission {
    hub: Arc<Hub>,
    event: Encoded,
    to: Receivers,
    except: Receivers,
    is_volatile: bool,
    ack: Option<Duration>,
    pub(super) once: Option<Once>,
}

/// The receivers.
struct Receivers {
    rooms: Vec<Room>,
    users: Vec<UserId>,
    sockets: Vec<SocketId>,
    is_everyone: bool,
}

impl Emission {
    /// Validates an event.
    pub(super) fn new(app: &App, event: Event) -> Result<Self> {
        let once = Once::of(&event)?;
        let Event { event, data, args, to, except, namespace, volatile, idempotency_key: _, ack } = event;
        checked_name("an event's name", &event).map_err(Error::BadPayload)?;
        if protocol::is_reserved(&event) {
            let sentence = format!("{event} is an event of the server's own or of Socket.IO's: choose another name");
            return Err(Error::BadPayload(sentence));
        }
        if data.is_some() && args.is_some() {
            return Err(Error::BadPayload("either data or args".to_owned()));
        }
        if !to.everyone && to.rooms.is_empty() && to.users.is_empty() && to.sockets.is_empty() {
            return Err(Error::BadPayload("to must name somebody: rooms, users, sockets or everyone".to_owned()));
        }
        let ack = ack.map(|ack| ack.timeout_ms);
        if ack.is_some_and(|millis| !(1..=ACK_MAX_MS).contains(&millis)) {
            return Err(Error::BadPayload(format!("ack.timeoutMs must be 1 to {ACK_MAX_MS}")));
        }
        if ack.is_some() && volatile {
            return Err(Error::BadPayload("an event with ack cannot be volatile".to_owned()));
        }
        if let Some(data) = &data {
            input::check_depth(data.get(), "data").map_err(Error::BadPayload)?;
        }
        for (index, argument) in args.iter().flatten().enumerate() {
            input::check_depth(argument.get(), &format!("args[{index}]")).map_err(Error::BadPayload)?;
        }
        let no_such = || Error::NotFound(format!("there is no namespace {namespace:?} now"));
        let hub = app.hubs.get(&namespace).ok_or_else(no_such)?;
        Ok(Self {
            event: Encoded::received(text(&event, data.into_iter().chain(args.into_iter().flatten())), Vec::new()),
            to: Receivers::new(&hub, to.rooms, to.users, &to.sockets, to.everyone),
            except: Receivers::new(&hub, except.rooms, except.users, &except.sockets, false),
            is_volatile: volatile,
            ack: ack.map(Duration::from_millis),
            hub,
            once,
        })
    }

    /// Emits the event, and waits for acknowledgements if they are asked for.
    pub(super) async fn emit(&self, app: &App) -> Result<Emitted> {
        let (to, except) = (self.to.list(), self.except.list());
        let to = match to.as_slice() {
            [one] => *one,
            several => hub::To::Any(several),
        };
        let outgoing = Outgoing::new(to, self.event.clone()).except_any(&except);
        match self.ack {
            Some(timeout) => self.ask(app, &outgoing, timeout).await,
            None => {
                let outgoing = if self.is_volatile { outgoing.volatile() } else { outgoing };
                Ok(Emitted { delivered: self.hub.send(&outgoing)?, answers: None })
            }
        }
    }

    async fn ask(&self, app: &App, outgoing: &Outgoing<'_>, timeout: Duration) -> Result<Emitted> {
        let receivers = self.hub.receivers(outgoing);
        let most = LimitsConfig::or_none(app.live().api.asked_sockets);
        if receivers.len() > most {
            let asked = receivers.len();
            return Err(Error::TooLarge(format!("{asked} sockets are too many to ask (api.asked-sockets)")));
        }
        let sockets: Vec<_> = receivers.iter().map(|receiver| hub::To::Socket(receiver.socket)).collect();
        let answers = self.hub.ask_all(&Outgoing::new(hub::To::Any(&sockets), self.event.clone()), timeout).await?;
        let mut who: HashMap<_, _> = receivers.into_iter().map(|receiver| (receiver.socket, receiver)).collect();
        let answers: Vec<_> = answers
            .into_iter()
            .filter_map(|(socket, answered)| {
                let receiver = who.remove(&socket)?;
                Some(answer(receiver, answered))
            })
            .collect();
        Ok(Emitted { delivered: answers.len(), answers: Some(answers) })
    }
}

/// Checks a batch as a whole.
pub(super) fn batch(app: &App, events: Vec<Event>) -> Result<Vec<Emission>> {
    if !(1..=BATCH_MAX).contains(&events.len()) {
        return Err(Error::BadPayload(format!("events must be 1 to {BATCH_MAX}, not {}", events.len())));
    }
    let mut keys = BTreeSet::new();
    let checked = events.into_iter().enumerate().map(|(index, event)| {
        let emission = Emission::new(app, event).map_err(|error| at(index, error))?;
        if emission.ack.is_some() {
            return Err(at(index, Error::BadPayload("ack is not for batches".to_owned())));
        }
        if emission.once.as_ref().is_some_and(|once| !keys.insert(once.key.clone())) {
            return Err(at(index, Error::BadPayload("the idempotencyKey of an event before".to_owned())));
        }
        Ok(emission)
    });
    checked.collect()
}

/// Adds the index of the event to an error about a batch.
fn at(index: usize, error: Error) -> Error {
    let sentence = |sentence| format!("events[{index}]: {sentence}");
    match error {
        Error::BadPayload(message) => Error::BadPayload(sentence(message)),
        Error::NotFound(message) => Error::NotFound(sentence(message)),
        error => error,
    }
}

/// The JSON array `["name", ...]`, with the arguments byte for byte.
fn text(event: &str, arguments: impl Iterator<Item = Box<RawValue>>) -> String {
    let mut text = format!("[{}", serde_json::Value::from(event));
    for argument in arguments {
        text.push(',');
        text += argument.get();
    }
    text.push(']');
    text
}

fn answer(receiver: hub::Receiver, answered: Result<hub::ClientAck>) -> super::Answered {
    let mut answer =
        super::Answered { socket_id: receiver.client_id, user_id: receiver.user, data: None, args: None, error: None };
    let answered = answered.and_then(|answered| {
        if answered.attachments().is_empty() {
            return Ok(answered);
        }
        Err(Error::BadPayload("the client answered with binary".to_owned()))
    });
    match answered.as_ref().map(|answered| answered.arguments()) {
        Ok([]) => answer.data = Some(RawValue::NULL.to_owned()),
        Ok([one]) => answer.data = Some(one.clone()),
        Ok(several) => answer.args = Some(several.to_vec()),
        Err(error) => answer.error = Some(Failure::of(error)),
    }
    answer
}

impl Receivers {
    fn new(hub: &Hub, rooms: Vec<NamedRoom>, users: Vec<UserId>, sockets: &[String], is_everyone: bool) -> Self {
        Self {
            rooms: each_once(rooms.into_iter().map(|NamedRoom(room)| Room::Named(room))),
            users: each_once(users),
            sockets: each_once(sockets).into_iter().filter_map(|socket| hub.socket(socket)).collect(),
            is_everyone,
        }
    }

    fn list(&self) -> Vec<hub::To<'_>> {
        let everyone = self.is_everyone.then_some(hub::To::Everyone);
        let rooms = self.rooms.iter().map(hub::To::Room);
        let users = self.users.iter().map(hub::To::User);
        let sockets = self.sockets.iter().copied().map(hub::To::Socket);
        everyone.into_iter().chain(rooms).chain(users).chain(sockets).collect()
    }
}

fn each_once<T: Hash + Eq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    all.into_iter().collect::<IndexSet<_>>().into_iter().collect()
}
