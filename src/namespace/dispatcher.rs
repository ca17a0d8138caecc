//! Receives the calls of the engine for a socket, and adds jobs to the socket's queue: an event is parsed at once, and
//! its handler runs when its job is next.

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

/// The object that the engine calls for a socket: the `AppSocket`, with the handlers of its namespace.
pub(super) struct Dispatcher {
    pub(super) socket: Arc<AppSocket>,
    pub(super) events: Arc<Registered>,
}

impl Dispatcher {
    /// Opens the queue: runs the connection handlers first, then the events that have arrived since CONNECT.
    pub(super) fn open(&self) {
        self.socket.queue.open(lifecycle::connected(&self.socket, &self.events));
        self.socket.run();
    }

    /// Makes the job for an event: the job runs the handler, relays the event, or refuses the event.
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
        // Relayed in the order of the queue: earlier events, such as a join, may change who receives this one.
        let (socket, name) = (self.socket.clone(), call.name.clone());
        let (text, attachments) = (json.to_owned(), args.attachments().to_vec());
        self.socket.handling(call, async move { relay::emit(&socket, &name, text, attachments) })
    }

    /// Refuses an event at once, without a job, because `limits.events-in-flight` is reached.
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
            // The hub may hold acknowledgements of earlier events until the end of a commit.
            socket.hub.settle();
            then();
        };
        self.socket.push(Job::Alone(work.boxed()));
    }
}

/// The event name that a client sent, cut to the maximal length of a name.
fn shown(name: &str) -> String {
    name.chars().take(NAME_MAX_CHARS).collect()
}
