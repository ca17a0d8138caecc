//! What arrives at a socket: decoded at once, run when its turn comes, answered once.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use socketioxide::{
    handler::{DisconnectHandler, MessageHandler},
    socket::DisconnectReason as LibraryReason,
};
use socketioxide_core::{Str, Value};

use super::{
    Adapter, Socket,
    connect::Conn,
    ctx::Turn,
    events::Outcome,
    queue::{Done, Entered, Job, Queue},
    relay,
};
use crate::{
    config::LimitsConfig,
    error::{Error, Result},
    hub::To,
    metrics::EventMetrics,
    model::NAME_MAX_CHARS,
    protocol::{Args, EventError, acknowledgement},
};

/// The fallback handler: every event of a socket arrives here.
pub(super) struct Received(pub(super) Arc<Conn>);

/// The disconnect handler.
pub(super) struct Disconnected(pub(super) Arc<Conn>);

impl MessageHandler<Adapter, ()> for Received {
    fn call(&self, _: Arc<Socket>, packet: Value, ack_id: Option<i64>) {
        let conn = &self.0;
        let most = LimitsConfig::or_none(conn.app.limits.config().events_in_flight);
        match conn.queue.enter(most) {
            Entered::Yes => Queue::push(conn, event(conn, packet, ack_id)),
            Entered::Full => refuse_at_once(conn, &packet, ack_id),
            Entered::Gone => {}
        }
    }
}

/// What has no place in the queue is answered before its turn: waiting would need a place.
fn refuse_at_once(conn: &Conn, packet: &Value, ack_id: Option<i64>) {
    conn.app.metrics.limited("events-in-flight");
    let error = Error::RateLimited("too many events wait for an answer (limits.events-in-flight)".to_owned());
    let text = packet.as_str().map_or("", |text| text.as_str());
    let name = Args::parse(text, &[]).map(|(name, _)| shown(&name)).unwrap_or_default();
    let outcome = acknowledgement::<()>(Err(error));
    answer(conn, &name, &conn.events.unknown, Instant::now(), ack_id, outcome);
}

impl DisconnectHandler<Adapter, ()> for Disconnected {
    fn call_with_defer(&self, socket: Arc<Socket>, reason: LibraryReason, remove: fn(Arc<Socket>)) {
        Queue::end(&self.0, reason.into(), move || remove(socket));
    }
}

/// Makes a job of an event: decodes it now, runs it when its turn comes.
fn event(conn: &Arc<Conn>, packet: Value, ack_id: Option<i64>) -> Job {
    let arrived = Instant::now();
    let turn = Turn::default();
    let Decoded { name, metrics, only_writes, work } = decode(conn, &packet, &turn);
    let conn = conn.clone();
    let work = async move {
        let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
            acknowledgement::<()>(Err(Error::internal("the server failed", format!("the handler of {name} panicked"))))
        });
        Box::new(move || {
            conn.queue.leave();
            answer(&conn, &name, &metrics, arrived, ack_id, outcome);
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

fn decode(conn: &Arc<Conn>, packet: &Value, turn: &Turn) -> Decoded {
    let unknown = &conn.events.unknown;
    let Value::Str(text, attachments) = packet else {
        let error = Error::BadPayload("a text packet was expected".to_owned());
        return Decoded::refused(String::new(), unknown, error);
    };
    let attachments: Vec<Bytes> = attachments.iter().flatten().cloned().collect();
    let (name, args) = match Args::parse(text, &attachments) {
        Ok(parsed) => parsed,
        Err(error) => return Decoded::refused(String::new(), unknown, error),
    };
    let event = conn.events.events.get(&name);
    let relay = conn.events.relays.get(&name);
    let metrics = event.map(|event| &event.metrics).or(relay).unwrap_or(unknown);
    if let Err(error) = within_limits(conn, text, &attachments) {
        return Decoded::refused(shown(&name), metrics, error);
    }
    if let Some(event) = event {
        let work = (event.handler)(conn.ctx(turn.clone()), &args);
        return Decoded { name, metrics: metrics.clone(), only_writes: event.only_writes, work };
    }
    if relay.is_none() {
        let name = shown(&name);
        return Decoded::refused(name.clone(), metrics, Error::UnknownEvent(name));
    }
    let work = relayed(conn.clone(), name.clone(), text.clone(), attachments.clone()).boxed();
    Decoded { name, metrics: metrics.clone(), only_writes: false, work }
}

/// Passes an event on when its turn comes: who hears it may depend on the events before it.
async fn relayed(conn: Arc<Conn>, name: String, text: Str, attachments: Vec<Bytes>) -> Outcome {
    let outgoing = Args::parse(&text, &attachments).and_then(|(_, args)| relay::outgoing(&conn, &name, &text, &args));
    acknowledgement(outgoing.map(|outgoing| conn.hub.send(outgoing)))
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
    ack_id: Option<i64>,
    (text, error): Outcome,
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
        (Some(id), _) => conn.hub.acknowledge(conn.id, id, text),
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
