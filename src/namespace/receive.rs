//! What arrives at a socket: decoded at once, run when its turn comes, answered once.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::FutureExt;

use super::{
    app_socket::AppSocket,
    events::Outcome,
    queue::{Entered, Job, Queue},
    relay,
};
use crate::{
    chat,
    config::LimitsConfig,
    engine::{Application, Arrival, DisconnectReason, Handshake, NotAnEvent, ReceivedCharge},
    error::{Error, Result},
    hub::To,
    metrics::EventMetrics,
    model::{NAME_MAX_CHARS, Room, UserId},
    protocol::{Args, ClientEvent, EventError, IntoReply, RefreshToken, SOCKET_IO, acknowledgement},
    tellings::Tellings,
};

impl Application for AppSocket {
    fn receive(self: Arc<Self>, arrival: Arrival<'_>) -> Result<(), NotAnEvent> {
        let Arrival { json, attachments, id, charge, is_within_rate } = arrival;
        let (name, args) = Args::parse(json, &attachments).map_err(|_| NotAnEvent)?;
        if SOCKET_IO.contains(&&*name) {
            return Err(NotAnEvent);
        }
        let most = LimitsConfig::or_none(self.app.limits.config().events_in_flight);
        match self.queue.enter(most) {
            Entered::Yes => {
                let within = within_limits(&self, json, args.attachments(), is_within_rate, &charge);
                let job = event(&self, json, &name, &args, Origin { id, charge: Some(charge) }, within);
                Queue::push(&self, job);
            }
            Entered::Full => refuse_at_once(&self, &shown(&name), id),
            Entered::Gone => {}
        }
        Ok(())
    }

    fn readmit(&self, handshake: &Handshake, auth: &str) -> bool {
        Self::readmit(self, handshake, auth)
    }

    fn take_seat(&self, handshake: &Handshake) -> bool {
        Self::take_seat(self, handshake)
    }

    fn leave_seat(&self) {
        Self::leave_seat(self);
    }

    fn moved(self: Arc<Self>) {
        Queue::moved(&self);
    }

    fn ended(self: Arc<Self>, reason: DisconnectReason) {
        self.leave_seat();
        Queue::end(&self, reason);
    }

    fn user(&self) -> UserId {
        self.user_id()
    }

    fn may_hear(&self, room: &Room) -> bool {
        let who = self.identity();
        who.access.allows(&who.user.id, room)
    }

    fn is_away(&self) -> bool {
        self.queue.is_away()
    }

    fn knows(&self, event: &str) -> bool {
        self.events.events.contains_key(event) || self.events.relays.contains_key(event)
    }

    fn welcome(self: Arc<Self>, id: u64) {
        let socket = self.clone();
        let work = async move {
            let (arguments, _) = acknowledgement(Ok(chat::welcome(&socket.app, &socket.identity())));
            socket.hub.acknowledge(&socket.inner, id, arguments);
        };
        Queue::push(&self, Job::Alone(work.boxed()));
    }

    fn in_turn(self: Arc<Self>, then: Box<dyn FnOnce() + Send>) {
        let socket = self.clone();
        let work = async move {
            // What was answered before may be kept by another thread's turn.
            socket.hub.settle();
            then();
        };
        Queue::push(&self, Job::Alone(work.boxed()));
    }
}

/// An event that was received and is to be answered, once.
pub(super) struct Call {
    pub(super) socket: Arc<AppSocket>,
    name: Arc<str>,
    metrics: Arc<EventMetrics>,
    arrived: Instant,
    origin: Origin,
}

/// Whom an event is answered to, and what it costs until then.
struct Origin {
    /// Which acknowledgement the client wants, if it wants one.
    id: Option<u64>,
    charge: Option<ReceivedCharge>,
}

impl Call {
    fn new(socket: &Arc<AppSocket>, name: Arc<str>, metrics: &Arc<EventMetrics>, origin: Origin) -> Self {
        Self { socket: socket.clone(), name, metrics: metrics.clone(), arrived: Instant::now(), origin }
    }

    /// It waits for a commit from now on.
    pub(super) fn becomes_write(&mut self) {
        if let Some(charge) = &mut self.origin.charge {
            charge.becomes_write();
        }
    }

    /// Runs a handler, and answers with what it returns.
    pub(super) async fn run<R: IntoReply>(self, work: impl Future<Output = Result<R>>) {
        // How the reply is written is the application's too.
        let outcome = AssertUnwindSafe(async { acknowledgement(work.await) }).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| acknowledgement::<()>(Err(self.panicked())));
        self.answer(outcome, None);
    }

    /// What its client is told when its handler panicked.
    pub(super) fn panicked(&self) -> Error {
        Error::internal("the server failed", format!("the handler of {} panicked", self.name))
    }

    /// In its turn, what is wrong with it.
    pub(super) fn refuse(self, error: Error) -> Job {
        Job::Alone(async { self.answer(acknowledgement::<()>(Err(error)), None) }.boxed())
    }

    /// Acknowledges the event, or says what went wrong where no acknowledgement was asked for.
    pub(super) fn answer(self, outcome: Outcome, tellings: Option<&mut Tellings>) {
        self.socket.queue.leave();
        self.tell(outcome, tellings);
    }

    fn tell(self, (arguments, error): Outcome, tellings: Option<&mut Tellings>) {
        let Self { socket, name, metrics, arrived, origin: Origin { id, charge: _charge } } = self;
        metrics.handler_seconds.record(arrived.elapsed());
        match &error {
            None => metrics.done.increment(1),
            Some(error) => {
                metrics.failed[error.code() as usize].increment(1);
                log(&socket, &name, error, id.is_some());
            }
        }
        match (id, error) {
            // A client that has gone does not wait for it any more.
            (Some(id), _) => match tellings {
                Some(tellings) => socket.hub.acknowledge_with(tellings, &socket.inner, id, arguments),
                None => socket.hub.acknowledge(&socket.inner, id, arguments),
            },
            (None, Some(error)) => {
                let (to, event) = (To::Socket(socket.id), EventError::new(&name, &error));
                match tellings {
                    Some(tellings) => socket.hub.tell_with(tellings, to, &event),
                    None => socket.hub.tell(to, &event),
                }
            }
            (None, None) => {}
        }
    }
}

/// What has no place in the queue is answered before its turn: waiting would need a place.
fn refuse_at_once(socket: &Arc<AppSocket>, name: &str, id: Option<u64>) {
    socket.app.metrics.limited("events-in-flight");
    let error = Error::RateLimited("too many events wait for an answer (limits.events-in-flight)".to_owned());
    let origin = Origin { id, charge: None };
    Call::new(socket, name.into(), &socket.events.unknown, origin).tell(acknowledgement::<()>(Err(error)), None);
}

/// Makes a job of an event: decodes it now, runs it when its turn comes.
fn event(
    socket: &Arc<AppSocket>,
    json: &str,
    name: &str,
    args: &Args<'_>,
    origin: Origin,
    within_limits: Result<()>,
) -> Job {
    let event = socket.events.events.get_key_value(name);
    let relay = socket.events.relays.get_key_value(name).filter(|_| event.is_none());
    let call = match (event, relay) {
        (Some((name, event)), _) => Call::new(socket, name.clone(), &event.metrics, origin),
        (None, Some((name, metrics))) => Call::new(socket, name.clone(), metrics, origin),
        (None, None) => Call::new(socket, shown(name).into(), &socket.events.unknown, origin),
    };
    if let Err(error) = within_limits.and_then(|()| args.check_depth()) {
        return call.refuse(error);
    }
    if let Some((_, event)) = event {
        return (event.handler)(call, args);
    }
    if relay.is_none() {
        let name = call.name.to_string();
        return call.refuse(Error::UnknownEvent(name));
    }
    // Passed on when its turn comes: who hears it may depend on the events before it.
    let (socket, name) = (socket.clone(), call.name.clone());
    let (text, attachments) = (json.to_owned(), args.attachments().to_vec());
    Job::Alone(call.run(async move { relay::emit(&socket, &name, text, attachments) }).boxed())
}

/// A client's own name for an event, no longer than any of ours.
fn shown(name: &str) -> String {
    name.chars().take(NAME_MAX_CHARS).collect()
}

fn within_limits(
    socket: &AppSocket,
    text: &str,
    attachments: &[Bytes],
    is_within_rate: bool,
    charge: &ReceivedCharge,
) -> Result<()> {
    let identity = socket.identity();
    if identity.has_expired() {
        return Err(Error::TokenExpired(identity.expires_at));
    }
    if charge.is_refused() {
        socket.app.metrics.limited("memory");
        return Err(Error::RateLimited("the server holds too much for this connection (limits.memory)".to_owned()));
    }
    if !is_within_rate {
        socket.app.metrics.limited("events-per-second");
        return Err(Error::RateLimited("too many events (limits.events-per-second)".to_owned()));
    }
    let bytes = text.len() + attachments.iter().map(Bytes::len).sum::<usize>();
    if bytes > LimitsConfig::or_none(socket.app.limits.config().payload_bytes) {
        socket.app.metrics.limited("payload-bytes");
        return Err(Error::TooLarge(format!("{bytes} bytes are too many (limits.payload-bytes)")));
    }
    Ok(())
}

/// The one place where a handler's error is logged. A client's own mistakes must not fill the log. `has_ack`: whether
/// the client is told by an acknowledgement, or nobody has to be told.
pub(super) fn log(socket: &AppSocket, event: &str, error: &Error, has_ack: bool) {
    let code = error.code();
    match error {
        Error::Unavailable(_, Some(source)) => {
            tracing::error!(socket = %socket.id, event, %error, source, "an event failed");
        }
        _ if event == RefreshToken::NAME && socket.app.refusal_lines.check().is_ok() => {
            tracing::info!(socket = %socket.id, user = %socket.user_id(), %code, %error, "token refused");
        }
        // Its client may not listen to the event that tells of the error.
        _ if !has_ack && socket.is_first_refusal(code) => {
            tracing::info!(socket = %socket.id, event, %code, %error, "an event was refused");
        }
        _ => tracing::debug!(socket = %socket.id, event, %code, %error, "an event was refused"),
    }
}
