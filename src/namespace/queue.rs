//! The order of one socket's jobs: a state machine that knows neither sockets nor commits nor the network.
//!
//! A job that runs *alone* begins when everything before it is done, and nothing begins before it is done. A *write*
//! begins as soon as everything before it has begun, for the store writes in that order. It is done when it has been
//! answered. Answers are given in the order of their writes, whichever is known first.
//!
//! Jobs wait until the queue is opened; the job given to [`Queue::open`] is then the first. The job given to
//! [`Queue::close`] is the last.
//!
//! One caller at a time works on the queue. A caller that has added a job or an answer calls [`Queue::claim`]. If the
//! claim is granted, it calls [`Queue::next`] and does what that returns, until there is nothing, which ends the claim.

use std::collections::VecDeque;

use crate::sync::{Mutex, MutexGuard};

/// Places that an empty queue keeps allocated.
const KEPT: usize = 32;

/// A queue of jobs. `A` is a job that runs alone, `W` a write, `R` the answer to a write.
pub(super) struct Queue<A, W, R>(Mutex<State<A, W, R>>);

/// A job.
pub(super) enum Job<A, W> {
    /// Runs alone.
    Alone(A),
    /// Begins a write.
    Write(W),
}

/// What is to be done next.
pub(super) enum Next<A, W, R> {
    /// Give this answer.
    Answer(R),
    /// Run this job to its end.
    Alone(A),
    /// Begin this write. [`Queue::settle`] must be called once, with the place.
    Write(W, Place),
}

/// The place of a write among the answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(u64);

/// Whether an event is admitted to the queue.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// Its job is to be added. [`Queue::leave`] must be called once, when it is answered.
    Yes,
    /// As many events as allowed are not answered yet.
    Full,
    /// The queue is closed.
    Closed,
}

struct State<A, W, R> {
    phase: Phase,
    jobs: VecDeque<Job<A, W>>,
    end: End<A>,
    /// Writes that have begun and are not answered, in their order. `Some` where the answer is known.
    writes: VecDeque<Option<R>>,
    /// Number of writes that were answered: the place of the first in `writes`.
    answered: u64,
    /// Events that were received and are not answered yet.
    in_flight: usize,
}

enum Phase {
    /// Not open yet: jobs wait.
    Waiting,
    /// No caller has the claim.
    Idle,
    /// A caller has the claim.
    Claimed,
}

enum End<A> {
    Open,
    /// Closed; this is the last job.
    Closed(A),
    /// The last job was given out.
    Over,
}

impl<A, W, R> Default for Queue<A, W, R> {
    fn default() -> Self {
        Self(Mutex::new(State {
            phase: Phase::Waiting,
            jobs: VecDeque::new(),
            end: End::Open,
            writes: VecDeque::new(),
            answered: 0,
            in_flight: 0,
        }))
    }
}

impl<A, W, R> Queue<A, W, R> {
    fn state(&self) -> MutexGuard<'_, State<A, W, R>> {
        self.0.lock()
    }

    /// Counts an event in, if fewer than `most` are not answered.
    pub(super) fn enter(&self, most: usize) -> Entered {
        let mut state = self.state();
        if !matches!(state.end, End::Open) {
            return Entered::Closed;
        }
        if state.in_flight >= most {
            return Entered::Full;
        }
        state.in_flight += 1;
        Entered::Yes
    }

    /// Counts an event out.
    pub(super) fn leave(&self) {
        self.state().in_flight -= 1;
    }

    /// Opens the queue.
    pub(super) fn open(&self, first: A) {
        let mut state = self.state();
        state.jobs.push_front(Job::Alone(first));
        state.phase = Phase::Idle;
    }

    /// Closes the queue. Only the first call counts.
    pub(super) fn close(&self, last: A) {
        let mut state = self.state();
        if matches!(state.end, End::Open) {
            state.end = End::Closed(last);
        }
    }

    /// Whether the queue is closed. Jobs may still be waiting.
    pub(super) fn is_closed(&self) -> bool {
        !matches!(self.state().end, End::Open)
    }

    /// Adds a job. After the last one it is dropped.
    pub(super) fn push(&self, job: Job<A, W>) {
        let mut state = self.state();
        if !matches!(state.end, End::Over) {
            state.jobs.push_back(job);
        }
    }

    /// The answer to a write. It is given after those to the writes before it.
    pub(super) fn settle(&self, Place(place): Place, answer: R) {
        let mut state = self.state();
        let index = (place - state.answered) as usize;
        state.writes[index] = Some(answer);
    }

    /// Whether the caller works on the queue from now on.
    pub(super) fn claim(&self) -> bool {
        let mut state = self.state();
        let is_granted = matches!(state.phase, Phase::Idle);
        if is_granted {
            state.phase = Phase::Claimed;
        }
        is_granted
    }

    /// What the caller that has the claim has to do next. `None` where there is nothing to do for now: the claim has
    /// ended.
    pub(super) fn next(&self) -> Option<Next<A, W, R>> {
        let mut state = self.state();
        let next = state.next();
        if next.is_none() {
            state.phase = Phase::Idle;
            state.shrink();
        }
        next
    }
}

impl<A, W, R> State<A, W, R> {
    fn next(&mut self) -> Option<Next<A, W, R>> {
        if let Some(answer) = self.writes.front_mut().and_then(Option::take) {
            self.writes.pop_front();
            self.answered += 1;
            return Some(Next::Answer(answer));
        }
        let are_answered = self.writes.is_empty();
        match self.jobs.pop_front() {
            Some(Job::Write(begin)) => {
                let place = Place(self.answered + self.writes.len() as u64);
                self.writes.push_back(None);
                Some(Next::Write(begin, place))
            }
            Some(Job::Alone(work)) if are_answered => Some(Next::Alone(work)),
            Some(job) => {
                self.jobs.push_front(job);
                None
            }
            None if are_answered => self.last().map(Next::Alone),
            None => None,
        }
    }

    fn last(&mut self) -> Option<A> {
        match std::mem::replace(&mut self.end, End::Over) {
            End::Closed(last) => Some(last),
            other => {
                self.end = other;
                None
            }
        }
    }

    /// Frees what an empty queue does not need.
    fn shrink(&mut self) {
        if self.jobs.is_empty() && self.jobs.capacity() > KEPT {
            self.jobs = VecDeque::new();
        }
        if self.writes.is_empty() && self.writes.capacity() > KEPT {
            self.writes = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod models;
#[cfg(test)]
mod tests;
