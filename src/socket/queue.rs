//! A socket's events, one after the other.
//!
//! The engine hands events over in the order of arrival. They wait in a queue per socket. The next begins when the one before is done, or, where it only writes,
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
};

use futures_util::{
    FutureExt, Stream,
    future::{BoxFuture, poll_fn},
    stream::FuturesOrdered,
};

use super::{connect::Conn, ctx::Turn, receive::log};
use crate::{
    engine::DisconnectReason,
    error::{Error, Result},
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
    /// What its handlers were told last: the client has gone and may come back.
    is_away: bool,
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
pub(super) struct Job {
    work: BoxFuture<'static, Done>,
    only_writes: bool,
    turn: Turn,
}

impl Job {
    pub(super) fn new(work: BoxFuture<'static, Done>, only_writes: bool, turn: Turn) -> Self {
        Self { work, only_writes, turn }
    }
}

/// What is left to do, in order, once the work is done.
pub(super) type Done = Box<dyn FnOnce() + Send>;

/// The last job of a socket.
fn farewell(conn: &Arc<Conn>, reason: DisconnectReason) -> Job {
    let conn = conn.clone();
    let turn = Turn::default();
    let ctx = conn.ctx(turn.clone());
    let work = async move {
        for handler in &conn.events.disconnect {
            quietly(&conn, "disconnect", handler(ctx.clone(), reason).map(Ok)).await;
        }
        Box::new(move || {
            conn.hub.detach(conn.id);
            conn.app.expiry.forget(&(conn.path().to_owned(), conn.id));
            if !conn.queue.is_away() {
                conn.app.metrics.connections.decrement(1);
            }
            conn.app.metrics.disconnected(reason.as_str());
            conn.log("disconnected", Some(reason));
        }) as Done
    };
    Job::new(work.boxed(), false, turn)
}

/// Tells the handlers where the client is now, if they do not know yet: it may have gone and come back since.
fn whereabouts(conn: &Arc<Conn>) -> Job {
    let conn = conn.clone();
    let turn = Turn::default();
    let ctx = conn.ctx(turn.clone());
    let work = async move {
        let is_away = conn.session.is_away();
        let was_away = {
            let mut state = conn.queue.state();
            if state.gone.is_some() {
                // The farewell says where it was.
                return Box::new(|| ()) as Done;
            }
            std::mem::replace(&mut state.is_away, is_away)
        };
        if is_away && !was_away {
            conn.app.metrics.connections.decrement(1);
            conn.log("away", None);
            for handler in &conn.events.away {
                quietly(&conn, "away", handler(ctx.clone())).await;
            }
        } else if was_away && !is_away {
            conn.app.metrics.connections.increment(1);
            conn.log("back", None);
            for handler in &conn.events.back {
                quietly(&conn, "back", handler(ctx.clone())).await;
            }
        }
        Box::new(|| ()) as Done
    };
    Job::new(work.boxed(), false, turn)
}

/// Runs a handler nobody waits for.
async fn quietly(conn: &Conn, what: &str, work: impl Future<Output = Result<()>> + Send) {
    let result = AssertUnwindSafe(work).catch_unwind().await;
    if let Err(error) = result.unwrap_or_else(|_| Err(Error::internal("the server failed", "the handler panicked"))) {
        log(conn, what, &error);
    }
}

/// Whether an event has a place.
pub(super) enum Entered {
    Yes,
    /// As many wait as may.
    Full,
    /// It came after the disconnect.
    Gone,
}

impl Queue {
    /// Takes a place for an event, of `most` that there are.
    pub(super) fn enter(&self, most: usize) -> Entered {
        let mut state = self.state();
        if state.gone.is_some() {
            return Entered::Gone;
        }
        if state.in_flight >= most {
            return Entered::Full;
        }
        state.in_flight += 1;
        Entered::Yes
    }

    /// The event is answered: its place is free.
    pub(super) fn leave(&self) {
        self.state().in_flight -= 1;
    }

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
        state.jobs.push_front(Job::new(work.boxed(), false, turn));
        if let Some(reason) = state.gone {
            state.jobs.push_back(farewell(conn, reason));
        }
        state.phase = Phase::Idle;
        drop(state);
        Self::begin(conn);
    }

    /// The socket is gone: its farewell is its last job. Only the first reason counts.
    pub(super) fn end(conn: &Arc<Conn>, reason: DisconnectReason) {
        let mut state = conn.queue.state();
        let is_first = state.gone.is_none();
        state.gone.get_or_insert(reason);
        let is_open = state.phase != Phase::Closed;
        drop(state);
        // While CONNECT has not passed, `open` sees to it.
        if is_first && is_open {
            Self::push(conn, farewell(conn, reason));
        }
    }

    /// The client has gone, or has come back.
    pub(super) fn moved(conn: &Arc<Conn>) {
        Self::push(conn, whereabouts(conn));
    }

    /// Whether the handlers know that the client has gone.
    pub(super) fn is_away(&self) -> bool {
        self.state().is_away
    }

    pub(super) fn push(conn: &Arc<Conn>, job: Job) {
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
