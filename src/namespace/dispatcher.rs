//! Receives what the engine reports of a socket and makes jobs of it: an event is decoded at once and handled in its
//! turn.

use std::sync::{Arc, atomic::Ordering};

use futures_util::FutureExt;

use super::{
    app_socket::{AppSocket, Job},
    call::{Call, Origin},
    event_limits, lifecycle,
    queue::Entered,
    registered::Registered,
    relay,
};
use crate::{
    chat,
    config::LimitsConfig,
    engine::{Application, Arrival, DisconnectReason, Handshake, NotAnEvent},
    error::{Error, Result},
    model::{NAME_MAX_CHARS, Room, UserId},
    protocol::{Args, SOCKET_IO, acknowledgement},
};

/// A socket with the handlers of its namespace, as the engine knows it.
pub(super) struct Dispatcher {
    pub(super) socket: Arc<AppSocket>,
    pub(super) events: Arc<Registered>,
}

impl Dispatcher {
    /// Runs the connection handlers, then what has arrived since CONNECT.
    pub(super) fn open(&self) {
        self.socket.queue.open(lifecycle::connected(&self.socket, &self.events));
        self.socket.run();
    }

    /// Makes a job of an event.
    fn job(&self, json: &str, name: &str, args: &Args<'_>, origin: Origin, within_limits: Result<()>) -> Job {
        let event = self.events.events.get_key_value(name);
        let relay = self.events.relays.get_key_value(name).filter(|_| event.is_none());
        let call = match (event, relay) {
            (Some((name, event)), _) => Call::new(name.clone(), &event.metrics, origin),
            (None, Some((name, metrics))) => Call::new(name.clone(), metrics, origin),
            (None, None) => Call::new(shown(name).into(), &self.events.unknown, origin),
        };
        if let Err(error) = within_limits.and_then(|()| args.check_depth()) {
            return self.socket.refusing(call, error);
        }
        if let Some((_, event)) = event {
            return (event.handler)(&self.socket, call, args);
        }
        if relay.is_none() {
            let name = call.name.to_string();
            return self.socket.refusing(call, Error::UnknownEvent(name));
        }
        // Relayed in its turn: its receivers may depend on the events before it.
        let (socket, name) = (self.socket.clone(), call.name.clone());
        let (text, attachments) = (json.to_owned(), args.attachments().to_vec());
        self.socket.handling(call, async move { relay::emit(&socket, &name, text, attachments) })
    }

    /// Refuses an event that has no place in the queue, before its turn.
    fn refuse_at_once(&self, name: &str, id: Option<u64>) {
        self.socket.app.metrics.limited("events-in-flight");
        let error = Error::RateLimited("too many events wait for an answer (limits.events-in-flight)".to_owned());
        let call = Call::new(shown(name).into(), &self.events.unknown, Origin { id, charge: None });
        self.socket.send_answer(call, acknowledgement::<()>(Err(error)), None);
    }
}

impl Application for Dispatcher {
    fn receive(self: Arc<Self>, arrival: Arrival<'_>) -> Result<(), NotAnEvent> {
        let Arrival { json, attachments, id, charge, is_within_rate } = arrival;
        let (name, args) = Args::parse(json, &attachments).map_err(|_| NotAnEvent)?;
        if SOCKET_IO.contains(&&*name) {
            return Err(NotAnEvent);
        }
        let most = LimitsConfig::or_none(self.socket.app.limits.config().events_in_flight);
        match self.socket.queue.enter(most) {
            Entered::Yes => {
                let within = event_limits::check(&self.socket, json, args.attachments(), is_within_rate, &charge);
                let job = self.job(json, &name, &args, Origin { id, charge: Some(charge) }, within);
                self.socket.push(job);
            }
            Entered::Full => self.refuse_at_once(&name, id),
            Entered::Closed => {}
        }
        Ok(())
    }

    fn readmit(&self, handshake: &Handshake, auth: &str) -> bool {
        self.socket.readmit(handshake, auth)
    }

    fn take_seat(&self, handshake: &Handshake) -> bool {
        self.socket.take_seat(handshake)
    }

    fn leave_seat(&self) {
        self.socket.leave_seat();
    }

    fn moved(self: Arc<Self>) {
        self.socket.push(Job::Alone(lifecycle::moved(&self.socket, &self.events)));
    }

    fn ended(self: Arc<Self>, reason: DisconnectReason) {
        self.socket.leave_seat();
        self.socket.queue.close(lifecycle::disconnected(&self.socket, &self.events, reason));
        self.socket.run();
    }

    fn user(&self) -> UserId {
        self.socket.user_id()
    }

    fn may_hear(&self, room: &Room) -> bool {
        let who = self.socket.identity();
        who.access.allows(&who.user.id, room)
    }

    fn is_away(&self) -> bool {
        self.socket.is_away.load(Ordering::Relaxed)
    }

    fn knows(&self, event: &str) -> bool {
        self.events.events.contains_key(event) || self.events.relays.contains_key(event)
    }

    fn welcome(self: Arc<Self>, id: u64) {
        let socket = self.socket.clone();
        let work = async move {
            let (arguments, _) = acknowledgement(Ok(chat::welcome(&socket.app, &socket.identity())));
            socket.hub.acknowledge(&socket.inner, id, arguments);
        };
        self.socket.push(Job::Alone(work.boxed()));
    }

    fn in_turn(self: Arc<Self>, then: Box<dyn FnOnce() + Send>) {
        let socket = self.socket.clone();
        let work = async move {
            // Answers to the events before it may be held back until the end of a commit.
            socket.hub.settle();
            then();
        };
        self.socket.push(Job::Alone(work.boxed()));
    }
}

/// A client's name for an event, cut to the length of the longest allowed name.
fn shown(name: &str) -> String {
    name.chars().take(NAME_MAX_CHARS).collect()
}
