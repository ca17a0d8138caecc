//! Works on a socket's queue.
//!
//! A job whose turn it is runs at once, on the thread that added it. A task is spawned only where a handler has to
//! wait, and where a handler's turn comes by a commit: a handler must not hold up the followers of other commits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Waker},
};

use futures_util::future::BoxFuture;

use super::{
    app_socket::{AppSocket, Job},
    call::{Call, Outcome},
    queue::{Next, Place},
};
use crate::tellings::Tellings;

impl AppSocket {
    /// Adds a job.
    pub(super) fn push(self: &Arc<Self>, job: Job) {
        self.queue.push(job);
        self.run();
    }

    /// The outcome of a write. It is answered after the writes before it: with the rest of the commit, or at once
    /// where `tellings` is `None`.
    pub(super) fn settle(
        self: &Arc<Self>,
        place: Place,
        call: Call,
        outcome: Outcome,
        tellings: Option<&mut Tellings>,
    ) {
        self.queue.settle(place, (call, outcome));
        if self.queue.claim()
            && let Some(work) = self.advance(tellings)
        {
            self.spawn(work);
        }
    }

    /// Runs jobs until one has to wait. The rest is run by a task.
    pub(super) fn run(self: &Arc<Self>) {
        if !self.queue.claim() {
            return;
        }
        while let Some(mut work) = self.advance(None) {
            // The task polls it again at once, with a waker that wakes.
            if work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                return self.spawn(work);
            }
        }
    }

    fn spawn(self: &Arc<Self>, work: BoxFuture<'static, ()>) {
        let socket = self.clone();
        // Not `tokio::spawn`: when the store's thread drops a write, there is no runtime around it.
        self.app.runtime.spawn(async move {
            work.await;
            while let Some(work) = socket.advance(None) {
                work.await;
            }
        });
    }

    /// Gives answers and begins writes, as far as possible. Returns the job that is to run alone then, or `None` where
    /// there is nothing to do for now. The caller has the claim.
    fn advance(self: &Arc<Self>, mut tellings: Option<&mut Tellings>) -> Option<BoxFuture<'static, ()>> {
        loop {
            match self.queue.next()? {
                Next::Answer((call, outcome)) => self.answer(call, outcome, tellings.as_deref_mut()),
                Next::Alone(work) => return Some(work),
                Next::Write(begin, place) => {
                    // Where it panics, its `Pending` is dropped, which settles the write.
                    drop(catch_unwind(AssertUnwindSafe(|| begin(place))));
                }
            }
        }
    }
}
