//! Runs the jobs of a socket's queue.
//!
//! The next job runs at once, on the thread that added it. A task is spawned only in two cases: the handler has to
//! wait, or it runs because a commit ended. In the second case it would otherwise delay the callbacks of other commits.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_util::FutureExt;

use super::{
    app_socket::{AppSocket, Job, Work},
    call::{Call, Outcome, Running},
    queue::{Action, WriteNumber},
};
use crate::tellings::Tellings;

impl AppSocket {
    /// Adds a job.
    pub(super) fn push(self: &Arc<Self>, job: Job) {
        self.queue.push(job);
        self.run();
    }

    /// Sets the outcome of a write. The answer to its event waits for the answers to earlier writes. If it need not
    /// wait, it is sent together with the rest of the commit, or immediately if `tellings` is `None`.
    pub(super) fn complete(
        self: &Arc<Self>,
        number: WriteNumber,
        call: Call,
        outcome: Outcome,
        tellings: Option<&mut Tellings>,
    ) {
        self.queue.set_answer(number, (call, outcome));
        if self.queue.claim()
            && let Some(turn) = self.advance(tellings)
        {
            self.spawn(turn);
        }
    }

    /// Runs jobs until one has to wait. A spawned task runs that job and the remaining ones.
    pub(super) fn run(self: &Arc<Self>) {
        if !self.queue.claim() {
            return;
        }
        while let Some(turn) = self.advance(None) {
            match turn {
                Turn::Overlapping(work) => self.begin_overlapping(work),
                Turn::Alone(mut work) => {
                    // The no-op waker loses no wake-up: the spawned task polls the job again at once, with its own waker.
                    if work.poll_once().is_pending() {
                        return self.spawn(Turn::Alone(work));
                    }
                }
            }
        }
    }

    fn spawn(self: &Arc<Self>, mut turn: Turn) {
        let socket = self.clone();
        // Not `tokio::spawn`: the writing thread of the store has no runtime, and calls this if it drops a write.
        self.app.runtime.spawn(async move {
            loop {
                match turn {
                    Turn::Overlapping(work) => socket.begin_overlapping(work),
                    Turn::Alone(mut work) => {
                        if !poll_fn(|cx| work.poll(cx)).await {
                            // The handler has let the next event begin, and may be waiting for that event. So it
                            // continues in a task of its own.
                            tokio::spawn(work.future);
                        }
                    }
                }
                match socket.advance(None) {
                    Some(next) => turn = next,
                    None => return,
                }
            }
        });
    }

    /// Begins an overlapping job on the calling thread, so that overlapping jobs begin in order. If the job has to
    /// wait, a spawned task continues it.
    fn begin_overlapping(self: &Arc<Self>, mut work: Work) {
        if work.poll_once().is_ready() {
            return self.queue.end_overlapping();
        }
        let socket = self.clone();
        self.app.runtime.spawn(async move {
            let is_done = poll_fn(|cx| work.poll(cx)).await;
            // The job is done, or lets the next event begin.
            socket.queue.end_overlapping();
            socket.run();
            if !is_done {
                work.future.await;
            }
        });
    }

    /// Sends the answers and begins the writes that are next in the queue. Returns the job that the caller must run
    /// next. If there is nothing to do for now, returns `None` and ends the queue's claim. The caller has the claim
    /// ([`Queue::claim`](super::queue::Queue::claim)).
    fn advance(self: &Arc<Self>, mut tellings: Option<&mut Tellings>) -> Option<Turn> {
        loop {
            match self.queue.next()? {
                Action::Answer((call, outcome)) => self.answer(call, outcome, tellings.as_deref_mut()),
                Action::Alone(work) => return Some(Turn::Alone(work)),
                Action::Overlapping(work) => return Some(Turn::Overlapping(work)),
                Action::Write(begin, number) => {
                    // If `begin` panics, the `PendingWrite` is dropped, which completes the write with an error.
                    drop(catch_unwind(AssertUnwindSafe(|| begin(number))));
                }
            }
        }
    }
}

/// A job whose turn it is.
enum Turn {
    /// The next job begins when it is done.
    Alone(Work),
    /// The next job may begin at once.
    Overlapping(Work),
}

impl Work {
    /// A job that belongs to no event.
    pub(super) fn new(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { future: future.boxed(), running: None }
    }

    /// A job whose handlers may let the next one begin.
    pub(super) fn with_turn(running: Running, future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { future: future.boxed(), running: Some(running) }
    }

    /// Runs it until it has to wait. Nothing wakes it then.
    fn poll_once(&mut self) -> Poll<()> {
        self.future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Ready with true when the job is done, and with false when the job lets the next event begin before it is done.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        // Registered before the check: a release in another task wakes this one.
        if let Some(running) = &self.running {
            running.turn().wake_at_release(cx.waker());
        }
        match self.future.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if self.running.as_ref().is_some_and(|running| running.turn().is_released()) => {
                Poll::Ready(false)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
