//! What arrives at a socket: decoded at once, run when its turn comes, answered once.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};

use super::{
    connect::Conn,
    ctx::Turn,
    events::Outcome,
    queue::{Done, Entered, Job, Queue},
    relay,
};
use crate::{
    chat,
    config::LimitsConfig,
    engine::{Application, DisconnectReason, Handshake, NotAnEvent},
    error::{Error, Result},
    hub::To,
    metrics::EventMetrics,
    model::{NAME_MAX_CHARS, Room, UserId},
    protocol::{Args, EventError, SOCKET_IO, acknowledgement},
};

impl Application for Conn {
    fn receive(self: Arc<Self>, json: &str, attachments: Vec<Bytes>, id: Option<u64>) -> Result<(), NotAnEvent> {
        let (name, args) = Args::parse(json, &attachments).map_err(|_| NotAnEvent)?;
        if SOCKET_IO.contains(&&*name) {
            return Err(NotAnEvent);
        }
        let most = LimitsConfig::or_none(self.app.limits.config().events_in_flight);
        match self.queue.enter(most) {
            Entered::Yes => {
                let job = event(&self, json, &name, &args, id);
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
        let conn = self.clone();
        let work = async move {
            let (arguments, _) = acknowledgement(Ok(chat::welcome(&conn.app, &conn.identity())));
            Box::new(move || {
                let is_sent = conn.session.acknowledge(id, &arguments.json, arguments.attachments);
                conn.app.metrics.deliveries.increment(u64::from(is_sent));
            }) as Done
        };
        Queue::push(&self, Job::new(work.boxed(), false, Turn::default()));
    }

    fn in_turn(self: Arc<Self>, then: Box<dyn FnOnce() + Send>) {
        Queue::push(&self, Job::new(async { then as Done }.boxed(), false, Turn::default()));
    }
}

/// What has no place in the queue is answered before its turn: waiting would need a place.
fn refuse_at_once(conn: &Conn, name: &str, id: Option<u64>) {
    conn.app.metrics.limited("events-in-flight");
    let error = Error::RateLimited("too many events wait for an answer (limits.events-in-flight)".to_owned());
    answer(conn, name, &conn.events.unknown, Instant::now(), id, acknowledgement::<()>(Err(error)));
}

/// Makes a job of an event: decodes it now, runs it when its turn comes.
fn event(conn: &Arc<Conn>, json: &str, name: &str, args: &Args<'_>, id: Option<u64>) -> Job {
    let arrived = Instant::now();
    let turn = Turn::default();
    let Decoded { name, metrics, only_writes, work } = decode(conn, json, name, args, &turn);
    let conn = conn.clone();
    let work = async move {
        let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
            acknowledgement::<()>(Err(Error::internal("the server failed", format!("the handler of {name} panicked"))))
        });
        Box::new(move || {
            conn.queue.leave();
            answer(&conn, &name, &metrics, arrived, id, outcome);
        }) as Done
    };
    Job::new(work.boxed(), only_writes, turn)
}

/// An event that is understood, or the refusal of one that is not.
struct Decoded {
    name: String,
    metrics: Arc<EventMetrics>,
    only_writes: bool,
    work: BoxFuture<'static, Outcome>,
}

impl Decoded {
    fn refused(name: String, metrics: &Arc<EventMetrics>, error: Error) -> Self {
        let work = async { acknowledgement::<()>(Err(error)) }.boxed();
        Self { name, metrics: metrics.clone(), only_writes: false, work }
    }
}

fn decode(conn: &Arc<Conn>, json: &str, name: &str, args: &Args<'_>, turn: &Turn) -> Decoded {
    let unknown = &conn.events.unknown;
    let event = conn.events.events.get(name);
    let relay = conn.events.relays.get(name);
    let metrics = event.map(|event| &event.metrics).or(relay).unwrap_or(unknown);
    if let Err(error) = within_limits(conn, json, args.attachments()) {
        return Decoded::refused(shown(name), metrics, error);
    }
    if let Some(event) = event {
        let work = (event.handler)(conn.ctx(turn.clone()), args);
        return Decoded { name: name.to_owned(), metrics: metrics.clone(), only_writes: event.only_writes, work };
    }
    if relay.is_none() {
        let name = shown(name);
        return Decoded::refused(name.clone(), metrics, Error::UnknownEvent(name));
    }
    // Passed on when its turn comes: who hears it may depend on the events before it.
    let (conn, name) = (conn.clone(), name.to_owned());
    let (text, attachments, relayed) = (json.to_owned(), args.attachments().to_vec(), name.clone());
    let work = async move { acknowledgement(relay::emit(&conn, &relayed, text, attachments)) }.boxed();
    Decoded { name, metrics: metrics.clone(), only_writes: false, work }
}

/// A client's own name for an event, no longer than any of ours.
fn shown(name: &str) -> String {
    name.chars().take(NAME_MAX_CHARS).collect()
}

fn within_limits(conn: &Conn, text: &str, attachments: &[Bytes]) -> Result<()> {
    if conn.identity().has_expired() {
        return Err(Error::TokenExpired);
    }
    if conn.bucket.as_ref().is_some_and(|bucket| bucket.check().is_err()) {
        conn.app.metrics.limited("events-per-second");
        return Err(Error::RateLimited("too many events (limits.events-per-second)".to_owned()));
    }
    let bytes = text.len() + attachments.iter().map(Bytes::len).sum::<usize>();
    if bytes > LimitsConfig::or_none(conn.app.limits.config().payload_bytes) {
        conn.app.metrics.limited("payload-bytes");
        return Err(Error::TooLarge(format!("{bytes} bytes are too many (limits.payload-bytes)")));
    }
    Ok(())
}

/// Acknowledges an event, or says what went wrong where no acknowledgement was asked for.
fn answer(
    conn: &Conn,
    name: &str,
    metrics: &EventMetrics,
    arrived: Instant,
    ack_id: Option<u64>,
    (arguments, error): Outcome,
) {
    metrics.handler_seconds.record(arrived.elapsed());
    match &error {
        None => metrics.done.increment(1),
        Some(error) => {
            metrics.failed[error.code() as usize].increment(1);
            log(conn, name, error);
        }
    }
    match (ack_id, error) {
        // A client that has gone does not wait for it any more.
        (Some(id), _) => {
            let is_sent = conn.session.acknowledge(id, &arguments.json, arguments.attachments);
            conn.app.metrics.deliveries.increment(u64::from(is_sent));
        }
        (None, Some(error)) => conn.hub.emit(To::Socket(conn.id), &EventError::new(name, &error)),
        (None, None) => {}
    }
}

/// The one place where a handler's error is logged. A client's own mistakes must not fill the log.
pub(super) fn log(conn: &Conn, event: &str, error: &Error) {
    let code = error.code();
    match error {
        Error::Unavailable(_, Some(source)) => {
            tracing::error!(socket = %conn.id, event, %error, source, "an event failed");
        }
        _ => tracing::debug!(socket = %conn.id, event, %code, %error, "an event was refused"),
    }
}
