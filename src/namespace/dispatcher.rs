//! Receives the engine's calls for a socket, and adds jobs to the socket's queue. An event is parsed at once; its
//! handler runs when its job is next.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;

use super::{
    app_socket::{AppSocket, Job, Work},
    call::{Call, Receipt},
    dynamic, event_limits,
    handler_set::{EventHandler, HandlerSet},
    lifecycle,
    queue::EnterResult,
    relay, sent_event,
};
use crate::{
    chat,
    config::LimitsConfig,
    engine::{Application, DisconnectReason, Handshake, IncomingEvent, NotAnEvent},
    error::{Error, Result},
    model::{NAME_MAX_CHARS, Room, SocketData, UserId},
    protocol::{Args, Arguments, RESERVED_BY_SOCKET_IO, ReplyForm},
    restart::SavedMember,
};

/// The object that the engine calls for a socket: the `AppSocket` with the handlers of its namespace.
pub(super) struct Dispatcher {
    pub(super) socket: Arc<AppSocket>,
    pub(super) handlers: Arc<HandlerSet>,
}

/// How an event is processed.
enum Target<'a> {
    /// By a handler.
    Handler(&'a EventHandler),
    /// By a relay.
    Relay,
    /// Not at all: the event has neither a handler nor a relay.
    Unknown,
}

impl Dispatcher {
    /// Opens the queue. The connection handlers run first, then the events that have arrived since CONNECT.
    pub(super) fn open(&self) {
        self.socket.queue.set_overlapping_max(self.handlers.concurrency);
        self.socket.queue.open(lifecycle::connected(&self.socket, &self.handlers));
        self.socket.run();
    }

    /// Opens the queue of a socket of an earlier process. The connection handlers run when its client is back.
    pub(super) fn open_away(&self) {
        self.socket.queue.set_overlapping_max(self.handlers.concurrency);
        self.socket.queue.open(Work::new(std::future::ready(())));
        self.socket.run();
    }

    /// Looks an event up. Events without a handler and without a relay share the metrics of unknown events.
    fn look_up(&self, name: &str, receipt: Receipt) -> (Call, Target<'_>) {
        if let Some((name, event)) = self.handlers.events.get_key_value(name) {
            return (Call::new(name.clone(), &event.metrics, receipt), Target::Handler(&event.handler));
        }
        match self.handlers.relays.get_key_value(name) {
            Some((name, metrics)) => (Call::new(name.clone(), metrics, receipt), Target::Relay),
            None => (Call::new(shown(name).into(), &self.handlers.unknown, receipt), Target::Unknown),
        }
    }

    /// Returns the job of an event. The job runs the handler, relays the event, or refuses it.
    fn job(&self, json: &str, name: &str, args: &Args<'_>, receipt: Receipt, within_limits: Result<()>) -> Job {
        let (call, target) = self.look_up(name, receipt);
        if let Err(error) = within_limits.and_then(|()| args.check_depth()) {
            return self.socket.refusal_job(call, error);
        }
        match target {
            Target::Handler(handler) if self.has_only_handlers() => handler(&self.socket, call, args),
            Target::Relay if self.has_only_handlers() => self.relay(call, json.to_owned(), args.attachments().to_vec()),
            _ => {
                let arguments = Arguments::new(args.array_text(), args.attachments().to_vec());
                dynamic::job(&self.socket, &self.handlers, call, json, arguments)
            }
        }
    }

    /// Whether only its handler runs for an event: there are no catch-alls, and the socket has no listeners. Connection
    /// handlers may add listeners, so this is false until they have run.
    fn has_only_handlers(&self) -> bool {
        let (socket, handlers) = (&self.socket, &self.handlers);
        !handlers.has_catch_alls()
            && socket.listeners.get().is_none()
            && (handlers.connection.is_empty() || socket.is_settled.load(Ordering::Relaxed))
    }

    /// Relays in the order of the queue: earlier events, such as a join, may change who receives this one.
    fn relay(&self, call: Call, text: String, attachments: Vec<Bytes>) -> Job {
        let (socket, name) = (self.socket.clone(), call.name.clone());
        self.socket.handler_job(call, async move |_| relay::emit(&socket, &name, text, attachments))
    }

    /// Refuses an event at once, without a job, because `limits.events-in-flight` is reached.
    fn refuse_at_once(&self, name: &str, id: Option<u64>) {
        self.socket.app.metrics.limited("events-in-flight");
        let error = Error::RateLimited("too many events wait for an answer (limits.events-in-flight)".to_owned());
        let (call, _) = self.look_up(name, Receipt { id, charge: None });
        self.socket.send_answer(call, self.socket.form().failure(error), None);
    }
}

impl Application for Dispatcher {
    fn receive(self: Arc<Self>, event: IncomingEvent<'_>) -> Result<(), NotAnEvent> {
        let IncomingEvent { json, attachments, id, charge, is_within_rate } = event;
        let (name, args) = Args::parse(json, &attachments).map_err(|_| NotAnEvent)?;
        if RESERVED_BY_SOCKET_IO.contains(&&*name) {
            return Err(NotAnEvent);
        }
        let most = LimitsConfig::or_none(self.socket.app.limits.config().events_in_flight);
        match self.socket.queue.enter(most) {
            EnterResult::Counted => {
                let within = event_limits::check(&self.socket, json, args.attachments(), is_within_rate, &charge);
                let job = self.job(json, &name, &args, Receipt { id, charge: Some(charge) }, within);
                self.socket.push(self.handlers.in_turn(job));
            }
            EnterResult::Full => self.refuse_at_once(&name, id),
            EnterResult::Closed => {}
        }
        Ok(())
    }

    fn readmit(&self, handshake: &Handshake) -> bool {
        self.socket.readmit(handshake)
    }

    fn take_seat(&self, handshake: &Handshake) -> bool {
        self.socket.take_seat(handshake)
    }

    fn leave_seat(&self) {
        self.socket.leave_seat();
    }

    fn away_changed(self: Arc<Self>) {
        self.socket.push(Job::Alone(lifecycle::client_changed(&self.socket, &self.handlers)));
    }

    fn ended(self: Arc<Self>, reason: DisconnectReason) {
        self.socket.leave_seat();
        self.socket.queue.close(lifecycle::ended(&self.socket, &self.handlers, reason));
        self.socket.run();
    }

    fn user(&self) -> UserId {
        self.socket.user_id()
    }

    fn may_enter(&self, room: &Room) -> bool {
        let who = self.socket.identity();
        who.access.allows(&who.user.id, room)
    }

    fn is_away(&self) -> bool {
        self.socket.is_away.load(Ordering::Relaxed)
    }

    fn data(&self) -> &Arc<SocketData> {
        &self.socket.data
    }

    fn saved(&self) -> Option<SavedMember> {
        let data = self.socket.app.handle.data_types().saved(&self.socket.data)?;
        Some(SavedMember { data, ..self.socket.identity().saved() })
    }

    fn is_idle(&self) -> bool {
        self.socket.queue.is_idle() && self.socket.lifecycle.try_lock().is_ok()
    }

    fn has_event(&self, event: &str) -> bool {
        self.handlers.events.contains_key(event) || self.handlers.relays.contains_key(event)
    }

    fn acknowledge_register(self: Arc<Self>, id: u64) {
        let socket = self.socket.clone();
        let work = async move {
            let welcome = chat::welcome(&socket.app, &socket.identity());
            let (arguments, _) = ReplyForm::Enveloped.acknowledgement(Ok::<_, Error>(welcome));
            socket.hub.acknowledge(&socket.inner, id, arguments);
        };
        self.socket.push(Job::Alone(Work::new(work)));
    }

    fn hears_sent_events(&self) -> bool {
        sent_event::is_heard(&self.socket, &self.handlers)
    }

    fn event_sent(self: Arc<Self>, event: &Arc<str>, arguments: &Arguments) {
        sent_event::tell(&self.socket, &self.handlers, event, arguments);
    }

    fn run_in_queue(self: Arc<Self>, then: Box<dyn FnOnce() + Send>) {
        let socket = self.socket.clone();
        let work = async move {
            // The hub may hold back acknowledgements of earlier events until the end of a commit.
            socket.hub.deliver_held();
            then();
        };
        self.socket.push(Job::Alone(Work::new(work)));
    }
}

/// The event name that a client sent, truncated to the maximal length of a name.
fn shown(name: &str) -> String {
    name.chars().take(NAME_MAX_CHARS).collect()
}
