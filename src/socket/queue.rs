//! A socket's events, one after the other.
//!
//! The library calls the fallback handler in the order of arrival but would run each event in a task of its own.
//! Here they wait in a queue per socket. The next begins when the one before is done, or, where it only writes,
//! when those before have queued their writes; they are acknowledged in the order they came, but for those that
//! found no place in the queue and are refused at once. The connection
//! handler is the first of them, the disconnect handler the last.
//!
//! An event that finds the queue empty runs at once, where it was received, and costs no task unless it waits.

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::Bytes;
use futures_util::{
    FutureExt, Stream,
    future::{BoxFuture, poll_fn},
    stream::FuturesOrdered,
};
use socketioxide::{
    handler::{DisconnectHandler, MessageHandler},
    socket::DisconnectReason as LibraryReason,
};
use socketioxide_core::{Str, Value};

use super::{Adapter, Socket, connect::Conn, ctx::Turn, events::Outcome, reason::DisconnectReason, relay};
use crate::{
    config::LimitsConfig,
    error::{Error, Result},
    hub::To,
    metrics::EventMetrics,
    model::NAME_MAX_CHARS,
    protocol::{Args, EventError, acknowledgement},
};

/// What waits, and whether somebody sees to it.
#[derive(Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    phase: Phase,
    /// Events that were received and not answered yet.
    in_flight: usize,
    /// Why the socket was disconnected, once it was.
    gone: Option<DisconnectReason>,
    /// Wakes whoever drains the queue, while that waits for a handler.
    waker: Option<Waker>,
}

#[derive(Default, PartialEq)]
enum Phase {
    /// CONNECT has not passed: what arrives waits.
    #[default]
    Closed,
    Idle,
    Draining,
}

/// One thing to be done.
struct Job {
    work: BoxFuture<'static, Done>,
    only_writes: bool,
    turn: Turn,
}

/// What is left to do, in order, once the work is done.
type Done = Box<dyn FnOnce() + Send>;

/// The fallback handler: every event of a socket arrives here.
pub(super) struct Received(pub(super) Arc<Conn>);

/// The disconnect handler.
pub(super) struct Disconnected(pub(super) Arc<Conn>);

impl MessageHandler<Adapter, ()> for Received {
    fn call(&self, _: Arc<Socket>, packet: Value, ack_id: Option<i64>) {
        let conn = &self.0;
        let most = LimitsConfig::or_none(conn.app.limits.config().events_in_flight);
        let mut state = conn.queue.state();
        if state.gone.is_some() {
            // It came after the disconnect.
            return;
        }
        if state.in_flight >= most {
            drop(state);
            refuse_at_once(conn, &packet, ack_id);
            return;
        }
        state.in_flight += 1;
        drop(state);
        let job = event(conn, packet, ack_id);
        Queue::push(conn, job);
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

/// The last job of a socket.
fn farewell(conn: &Arc<Conn>, reason: DisconnectReason, remove: impl FnOnce() + Send + 'static) -> Job {
    let conn = conn.clone();
    let turn = Turn::default();
    let ctx = conn.ctx(turn.clone());
    let work = async move {
        for handler in &conn.events.disconnect {
            quietly(&conn, "disconnect", handler(ctx.clone(), reason).map(Ok)).await;
        }
        Box::new(move || {
            conn.hub.detach(conn.id);
            conn.app.expiry.forget(&(conn.path.to_string(), conn.id));
            conn.app.metrics.connections.decrement(1);
            conn.app.metrics.disconnected(reason.as_str());
            let user = conn.identity().user.id.clone();
            tracing::info!(socket = %conn.id, %user, namespace = &*conn.path, %reason, "disconnected");
            remove();
        }) as Done
    };
    Job { work: work.boxed(), only_writes: false, turn }
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
            conn.queue.state().in_flight -= 1;
            answer(&conn, &name, &metrics, arrived, ack_id, outcome);
        }) as Done
    };
    Job { work: work.boxed(), only_writes, turn }
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
fn log(conn: &Conn, event: &str, error: &Error) {
    let code = error.code();
    match error {
        Error::Unavailable(_, Some(source)) => {
            tracing::error!(socket = %conn.id, event, %error, source, "an event failed");
        }
        _ => tracing::debug!(socket = %conn.id, event, %code, %error, "an event was refused"),
    }
}

/// Runs a handler nobody waits for.
async fn quietly(conn: &Conn, what: &str, work: impl Future<Output = Result<()>> + Send) {
    let result = AssertUnwindSafe(work).catch_unwind().await;
    if let Err(error) = result.unwrap_or_else(|_| Err(Error::internal("the server failed", "the handler panicked"))) {
        log(conn, what, &error);
    }
}

impl Queue {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no panic while queueing")
    }

    /// CONNECT has passed: the connection handler runs, then what has arrived since.
    pub(super) fn open(conn: &Arc<Conn>) {
        let turn = Turn::default();
        let ctx = conn.ctx(turn.clone());
        let work = async move {
            let conn = ctx.conn().clone();
            for handler in &conn.events.connection {
                quietly(&conn, "connection", handler(ctx.clone())).await;
            }
            Box::new(|| ()) as Done
        };
        let mut state = conn.queue.state();
        state.jobs.push_front(Job { work: work.boxed(), only_writes: false, turn });
        if let Some(reason) = state.gone {
            state.jobs.push_back(farewell(conn, reason, || ()));
        }
        state.phase = Phase::Idle;
        drop(state);
        Self::begin(conn);
    }

    /// The socket is gone: its farewell is its last job. Only the first reason counts.
    pub(super) fn end(conn: &Arc<Conn>, reason: DisconnectReason, remove: impl FnOnce() + Send + 'static) {
        let mut state = conn.queue.state();
        let is_first = state.gone.is_none();
        state.gone.get_or_insert(reason);
        let is_open = state.phase != Phase::Closed;
        drop(state);
        if is_first && is_open {
            Self::push(conn, farewell(conn, reason, remove));
        } else {
            // While CONNECT has not passed, and perhaps never will, a job would keep the socket for ever.
            remove();
        }
    }

    fn push(conn: &Arc<Conn>, job: Job) {
        let mut state = conn.queue.state();
        state.jobs.push_back(job);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Self::begin(conn);
    }

    /// Drains the queue here and now, if nobody does; goes on in a task where a handler waits.
    fn begin(conn: &Arc<Conn>) {
        {
            let mut state = conn.queue.state();
            if state.phase != Phase::Idle || state.jobs.is_empty() {
                return;
            }
            state.phase = Phase::Draining;
        }
        let mut drain = Drain { conn: conn.clone(), first: None, running: FuturesOrdered::new(), turn: None };
        // Whoever is polled with this waker is polled again by the task, with one that wakes.
        if drain.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            tokio::spawn(poll_fn(move |cx| drain.poll(cx)));
        }
    }
}

/// Runs jobs until none is left.
struct Drain {
    conn: Arc<Conn>,
    /// The job that runs alone: most do, and need no place among others.
    first: Option<Pin<Box<dyn Future<Output = Done> + Send>>>,
    /// Jobs that overlap, in their order; they end in it too.
    running: FuturesOrdered<BoxFuture<'static, Done>>,
    /// The last one's.
    turn: Option<Turn>,
}

enum Next {
    Begin(Job),
    Wait,
    Nothing,
}

impl Drain {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(first) = &mut self.first
                && let Poll::Ready(done) = first.as_mut().poll(cx)
            {
                self.first = None;
                done();
            }
            if self.first.is_none() {
                while let Poll::Ready(Some(done)) = Pin::new(&mut self.running).poll_next(cx) {
                    done();
                }
            }
            match self.next(cx) {
                Next::Begin(job) => {
                    self.turn = Some(job.turn);
                    if self.first.is_none() && self.running.is_empty() {
                        self.first = Some(job.work);
                    } else {
                        self.running.push_back(job.work);
                        self.poll_running(cx);
                    }
                }
                Next::Wait => return Poll::Pending,
                Next::Nothing => return Poll::Ready(()),
            }
        }
    }

    /// Lets what was just begun run while the first still waits. What is done before it waits to be acknowledged.
    fn poll_running(&mut self, cx: &mut Context<'_>) {
        if let Some(first) = self.first.take() {
            self.running.push_front(first);
        }
        while let Poll::Ready(Some(done)) = Pin::new(&mut self.running).poll_next(cx) {
            done();
        }
    }

    fn next(&self, cx: &Context<'_>) -> Next {
        let nothing_runs = self.first.is_none() && self.running.is_empty();
        let may_overlap = self.turn.as_ref().is_some_and(Turn::is_given_up);
        let mut state = self.conn.queue.state();
        let begins = state.jobs.front().is_some_and(|job| nothing_runs || (may_overlap && job.only_writes));
        if begins && let Some(job) = state.jobs.pop_front() {
            return Next::Begin(job);
        }
        if nothing_runs {
            state.phase = Phase::Idle;
            state.waker = None;
            return Next::Nothing;
        }
        state.waker = Some(cx.waker().clone());
        Next::Wait
    }
}
