//! A socket's events, one after the other.
//!
//! The engine hands events over in the order of arrival, and they wait in a queue per socket. The next begins when
//! those before it are answered. An event that only writes begins earlier: when those before it have queued their
//! writes, for the one writer is first in, first out. All are answered in the order they came, but for those that
//! found no place in the queue and are refused at once. The connection handler is the first of them, the disconnect
//! handler the last.
//!
//! An event whose turn it is runs at once, where it was received, and costs no task unless it waits.

use std::{
    collections::VecDeque,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Waker},
    thread,
};

use futures_util::{FutureExt, future::BoxFuture};
use parking_lot::{Mutex, MutexGuard};

use super::{
    app_socket::AppSocket,
    ctx::Ctx,
    events::Outcome,
    receive::{Call, log},
};
use crate::{
    engine::DisconnectReason,
    error::{Error, Result},
    protocol::acknowledgement,
};

/// Places an empty queue keeps.
const KEPT: usize = 32;

/// What waits, and whether somebody sees to it.
#[derive(Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Writes that have begun and are not answered, in the order they came; some are done before those before them.
    writes: VecDeque<Option<(Call, Outcome)>>,
    /// How many writes were answered: the number of the first in `writes`.
    answered: u64,
    phase: Phase,
    /// Events that were received and not answered yet.
    in_flight: usize,
    /// What its handlers were told last: the client has gone and may come back.
    is_away: bool,
    /// Why the socket was disconnected, once it was.
    gone: Option<DisconnectReason>,
}

impl State {
    /// Gives back what an empty queue does not need.
    fn shrink(&mut self) {
        if self.jobs.is_empty() && self.jobs.capacity() > KEPT {
            self.jobs = VecDeque::new();
        }
        if self.writes.is_empty() && self.writes.capacity() > KEPT {
            self.writes = VecDeque::new();
        }
    }
}

#[derive(Default, PartialEq)]
enum Phase {
    /// CONNECT has not passed: what arrives waits.
    #[default]
    Closed,
    Idle,
    /// Somebody runs jobs and answers writes; whoever comes now leaves it to them.
    Running,
}

/// One thing to be done.
pub(super) enum Job {
    /// Begins when everything before it is answered; nothing begins before it is done.
    Alone(BoxFuture<'static, ()>),
    /// Only queues a write.
    Write(Call, BeginWrite),
}

/// Queues a write, or refuses to.
pub(super) type BeginWrite = Box<dyn FnOnce(Ctx, Pending) + Send>;

/// A write that has begun, and its place among the answers. One that nobody answers is answered when it is dropped.
pub(super) struct Pending {
    call: Option<Call>,
    number: u64,
}

impl Pending {
    /// What became of it. It is answered when those before it are.
    pub(super) fn settle(mut self, outcome: Outcome) {
        if let Some(call) = self.call.take() {
            Queue::settle(call, self.number, outcome);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            let error = match thread::panicking() {
                true => call.panicked(),
                false => Error::unavailable("the store is closing"),
            };
            Queue::settle(call, self.number, acknowledgement::<()>(Err(error)));
        }
    }
}

/// The last job of a socket.
fn farewell(socket: &Arc<AppSocket>, reason: DisconnectReason) -> Job {
    let socket = socket.clone();
    let work = async move {
        for handler in &socket.events.disconnect {
            let work = async {
                handler(socket.ctx(), reason).await;
                Ok(())
            };
            quietly(&socket, "disconnect", work).await;
        }
        socket.hub.detach(socket.id);
        socket.app.tokens.forget(socket.id);
        if !socket.queue.is_away() {
            socket.app.metrics.connections.decrement(1);
        }
        socket.app.metrics.disconnected(reason.as_str());
        socket.log("disconnected", Some(reason));
    };
    Job::Alone(work.boxed())
}

/// Tells the handlers where the client is now, if they do not know yet: it may have gone and come back since.
fn whereabouts(socket: &Arc<AppSocket>) -> Job {
    let socket = socket.clone();
    let work = async move {
        let is_away = socket.inner.is_away();
        let was_away = {
            let mut state = socket.queue.state();
            if state.gone.is_some() {
                // The farewell says where it was.
                return;
            }
            std::mem::replace(&mut state.is_away, is_away)
        };
        if is_away && !was_away {
            socket.app.metrics.connections.decrement(1);
            socket.log("away", None);
            for handler in &socket.events.away {
                quietly(&socket, "away", async { handler(socket.ctx()).await }).await;
            }
        } else if was_away && !is_away {
            socket.app.metrics.connections.increment(1);
            socket.log("back", None);
            for handler in &socket.events.back {
                quietly(&socket, "back", async { handler(socket.ctx()).await }).await;
            }
        }
    };
    Job::Alone(work.boxed())
}

/// Runs a handler nobody waits for.
async fn quietly(socket: &AppSocket, what: &str, work: impl Future<Output = Result<()>> + Send) {
    let result = AssertUnwindSafe(work).catch_unwind().await;
    if let Err(error) = result.unwrap_or_else(|_| Err(Error::internal("the server failed", "the handler panicked"))) {
        log(socket, what, &error, true);
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// CONNECT has passed: the connection handler runs, then what has arrived since.
    pub(super) fn open(socket: &Arc<AppSocket>) {
        let this = socket.clone();
        let work = async move {
            for handler in &this.events.connection {
                quietly(&this, "connection", async { handler(this.ctx()).await }).await;
            }
        };
        let mut state = socket.queue.state();
        state.jobs.push_front(Job::Alone(work.boxed()));
        if let Some(reason) = state.gone {
            state.jobs.push_back(farewell(socket, reason));
        }
        state.phase = Phase::Idle;
        drop(state);
        Self::run(socket);
    }

    /// The socket is gone: its farewell is its last job. Only the first reason counts.
    pub(super) fn end(socket: &Arc<AppSocket>, reason: DisconnectReason) {
        let mut state = socket.queue.state();
        let is_first = state.gone.is_none();
        state.gone.get_or_insert(reason);
        let is_open = state.phase != Phase::Closed;
        drop(state);
        // While CONNECT has not passed, `open` sees to it.
        if is_first && is_open {
            Self::push(socket, farewell(socket, reason));
        }
    }

    /// The client has gone, or has come back.
    pub(super) fn moved(socket: &Arc<AppSocket>) {
        Self::push(socket, whereabouts(socket));
    }

    /// Whether the handlers know that the client has gone.
    pub(super) fn is_away(&self) -> bool {
        self.state().is_away
    }

    pub(super) fn push(socket: &Arc<AppSocket>, job: Job) {
        socket.queue.state().jobs.push_back(job);
        Self::run(socket);
    }

    fn settle(call: Call, number: u64, outcome: Outcome) {
        let socket = call.socket.clone();
        let mut state = socket.queue.state();
        let place = (number - state.answered) as usize;
        state.writes[place] = Some((call, outcome));
        drop(state);
        // What follows a commit holds up all others that follow it: handlers run elsewhere.
        if socket.queue.claim()
            && let Some(work) = Self::advance(&socket)
        {
            Self::spawn(socket, work);
        }
    }

    /// Does here and now what can be done, unless somebody does already; goes on in a task where a handler waits.
    fn run(socket: &Arc<AppSocket>) {
        if !socket.queue.claim() {
            return;
        }
        while let Some(mut work) = Self::advance(socket) {
            // Whoever is polled with this waker is polled again by the task, with one that wakes.
            if work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                return Self::spawn(socket.clone(), work);
            }
        }
    }

    fn spawn(socket: Arc<AppSocket>, work: BoxFuture<'static, ()>) {
        // By the handle: where the store's thread gives up a write, there is no runtime around it.
        socket.app.runtime.clone().spawn(async move {
            work.await;
            while let Some(work) = Self::advance(&socket) {
                work.await;
            }
        });
    }

    /// Whether it is the caller who runs jobs and answers writes from now on.
    fn claim(&self) -> bool {
        let mut state = self.state();
        let is_idle = state.phase == Phase::Idle;
        if is_idle {
            state.phase = Phase::Running;
        }
        is_idle
    }

    /// Answers and begins writes, as far as their turn has come. Returns the work that is to be done alone then;
    /// `None` when there is nothing to do for now.
    fn advance(socket: &Arc<AppSocket>) -> Option<BoxFuture<'static, ()>> {
        loop {
            match socket.queue.next()? {
                Next::Answer(call, outcome) => call.answer(outcome),
                Next::Alone(work) => return Some(work),
                Next::Write(pending, begin) => {
                    // Where it panics, `pending` is dropped, and thereby answered.
                    drop(catch_unwind(AssertUnwindSafe(|| begin(socket.ctx(), pending))));
                }
            }
        }
    }

    fn next(&self) -> Option<Next> {
        let mut state = self.state();
        if let Some((call, outcome)) = state.writes.front_mut().and_then(Option::take) {
            state.writes.pop_front();
            state.answered += 1;
            return Some(Next::Answer(call, outcome));
        }
        let must_wait = !state.writes.is_empty();
        match state.jobs.pop_front() {
            Some(Job::Write(mut call, begin)) => {
                call.becomes_write();
                let number = state.answered + state.writes.len() as u64;
                state.writes.push_back(None);
                Some(Next::Write(Pending { call: Some(call), number }, begin))
            }
            Some(Job::Alone(work)) if !must_wait => Some(Next::Alone(work)),
            job => {
                job.into_iter().for_each(|job| state.jobs.push_front(job));
                state.phase = Phase::Idle;
                state.shrink();
                None
            }
        }
    }
}

enum Next {
    Answer(Call, Outcome),
    Write(Pending, BeginWrite),
    Alone(BoxFuture<'static, ()>),
}
