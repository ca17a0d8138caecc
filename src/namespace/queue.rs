//! The order of a socket's jobs: a state machine without sockets, commits or the network.
//!
//! A job that runs *alone* begins when all jobs before it are done, and the next job begins when it is done. A *write*
//! begins as soon as all writes before it have begun and all jobs that run alone before it are done: the store keeps
//! the order of writes. A write is done when its event has been answered. Answers are given in the order of the writes.
//!
//! A job that *overlaps* begins as soon as all overlapping jobs before it have begun and all other jobs before it are
//! done, if fewer than the maximum are running. A job that runs alone waits until none is running.
//!
//! Jobs wait until the queue is opened. The job given to [`Queue::open`] is the first, the job given to
//! [`Queue::close`] the last.
//!
//! One caller at a time works on the queue. A caller that has added a job or an answer calls [`Queue::claim`]. If the
//! claim is granted, the caller calls [`Queue::next`] and carries out the action, again and again. The claim ends when
//! `next` returns `None`.

use std::collections::VecDeque;

use crate::sync::{Mutex, MutexGuard};

/// Number of entries that an empty queue keeps allocated.
const KEPT: usize = 32;

/// A queue of jobs. `A` is a job that runs alone, `W` a write, `R` the answer to a write.
pub(super) struct Queue<A, W, R>(Mutex<State<A, W, R>>);

/// A job.
pub(super) enum Job<A, W> {
    /// Runs alone.
    Alone(A),
    /// Overlaps with other such jobs.
    Overlapping(A),
    /// Begins a write.
    Write(W),
}

/// The next action.
pub(super) enum Action<A, W, R> {
    /// Give this answer.
    Answer(R),
    /// Run this job to its end.
    Alone(A),
    /// Run this job. [`Queue::end_overlapping`] must be called once, when it is done.
    Overlapping(A),
    /// Begin this write. [`Queue::set_answer`] must be called once, with the number.
    Write(W, WriteNumber),
}

/// The number of a write among all writes of a socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct WriteNumber(u64);

/// Whether an event was counted in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EnterResult {
    /// Yes. The caller must add the event's job, and must call [`Queue::leave`] once, when the event is answered.
    Counted,
    /// No: too many events are not answered yet.
    Full,
    /// No: the queue is closed.
    Closed,
}

struct State<A, W, R> {
    phase: Phase,
    jobs: VecDeque<Job<A, W>>,
    /// Overlapping jobs that have begun and are not done.
    overlapping: usize,
    overlapping_max: usize,
    end: End<A>,
    /// The writes that have begun and are not answered, in order. `Some` if the answer is known.
    writes: VecDeque<Option<R>>,
    /// Number of writes that were answered. It is the number of the first write in `writes`.
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
    /// The last job was returned by [`Queue::next`].
    Over,
}

impl<A, W, R> Default for Queue<A, W, R> {
    fn default() -> Self {
        Self(Mutex::new(State {
            phase: Phase::Waiting,
            jobs: VecDeque::new(),
            overlapping: 0,
            overlapping_max: 1,
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
    pub(super) fn enter(&self, most: usize) -> EnterResult {
        let mut state = self.state();
        if !matches!(state.end, End::Open) {
            return EnterResult::Closed;
        }
        if state.in_flight >= most {
            return EnterResult::Full;
        }
        state.in_flight += 1;
        EnterResult::Counted
    }

    /// Counts an event in that was counted out before: its acknowledgement was sent, but its handler has not run.
    pub(super) fn enter_again(&self) {
        self.state().in_flight += 1;
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

    /// Whether no job runs or waits, and every write is answered.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        let is_unclaimed = matches!(state.phase, Phase::Idle);
        is_unclaimed && state.jobs.is_empty() && state.writes.is_empty() && state.overlapping == 0
    }

    /// Sets how many overlapping jobs may run at the same time. It is 1 until then.
    pub(super) fn set_overlapping_max(&self, max: usize) {
        self.state().overlapping_max = max;
    }

    /// An overlapping job is done.
    pub(super) fn end_overlapping(&self) {
        self.state().overlapping -= 1;
    }

    /// Adds a job. If the last job was already returned, the new one is dropped.
    pub(super) fn push(&self, job: Job<A, W>) {
        let mut state = self.state();
        if !matches!(state.end, End::Over) {
            state.jobs.push_back(job);
        }
    }

    /// Adds a job before all others. If the last job was already returned, the new one is dropped.
    pub(super) fn push_next(&self, job: Job<A, W>) {
        let mut state = self.state();
        if !matches!(state.end, End::Over) {
            state.jobs.push_front(job);
        }
    }

    /// Sets the answer to a write. It is given after the answers to earlier writes.
    pub(super) fn set_answer(&self, WriteNumber(number): WriteNumber, answer: R) {
        let mut state = self.state();
        let index = (number - state.answered) as usize;
        state.writes[index] = Some(answer);
    }

    /// Whether the claim is granted: the caller then works on the queue.
    pub(super) fn claim(&self) -> bool {
        let mut state = self.state();
        let is_granted = matches!(state.phase, Phase::Idle);
        if is_granted {
            state.phase = Phase::Claimed;
        }
        is_granted
    }

    /// The next action of the caller that has the claim. If there is none for now, returns `None` and ends the claim.
    pub(super) fn next(&self) -> Option<Action<A, W, R>> {
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
    fn next(&mut self) -> Option<Action<A, W, R>> {
        if let Some(answer) = self.writes.front_mut().and_then(Option::take) {
            self.writes.pop_front();
            self.answered += 1;
            return Some(Action::Answer(answer));
        }
        let are_answered = self.writes.is_empty();
        match self.jobs.pop_front() {
            Some(Job::Write(begin)) => {
                let number = WriteNumber(self.answered + self.writes.len() as u64);
                self.writes.push_back(None);
                Some(Action::Write(begin, number))
            }
            Some(Job::Alone(work)) if are_answered && self.overlapping == 0 => Some(Action::Alone(work)),
            Some(Job::Overlapping(work)) if are_answered && self.overlapping < self.overlapping_max => {
                self.overlapping += 1;
                Some(Action::Overlapping(work))
            }
            Some(job) => {
                self.jobs.push_front(job);
                None
            }
            None if are_answered && self.overlapping == 0 => self.last().map(Action::Alone),
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

    /// Frees the memory that an empty queue does not need.
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
