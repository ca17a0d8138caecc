//! A model of one socket's queue: the threads that work on it are those of `namespace::run`, without the sockets.

use std::{collections::BTreeMap, sync::Arc};

use shuttle::{sync::mpsc, thread};

use super::*;
use crate::sync::models::check;

/// Runs of each model, twice.
const RUNS: usize = 800;

type Done = parking_lot::Mutex<Vec<Step>>;

/// What happened, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Ran(u32),
    Began(u32),
    Answered(u32),
}

/// Names of jobs: the first and the last, and those of a client from 1 on.
const FIRST: u32 = 0;
const LAST: u32 = 100;

/// A socket, as `AppSocket` is one: a job that runs alone is its name.
struct Socket {
    queue: Queue<u32, u32, u32>,
    store: mpsc::Sender<(u32, Place)>,
    last: mpsc::Sender<()>,
    done: Done,
    /// The job that runs alone now.
    alone: parking_lot::Mutex<Option<u32>>,
}

impl Socket {
    fn push(self: &Arc<Self>, job: Job<u32, u32>) {
        self.queue.push(job);
        self.run();
    }

    fn settle(self: &Arc<Self>, place: Place, answer: u32) {
        self.queue.settle(place, answer);
        if self.queue.claim()
            && let Some(job) = self.advance()
        {
            self.spawn(job);
        }
    }

    /// Every third job waits, so that a task runs it.
    fn run(self: &Arc<Self>) {
        if !self.queue.claim() {
            return;
        }
        while let Some(job) = self.advance() {
            if job % 3 == 1 {
                return self.spawn(job);
            }
            self.work(job);
        }
    }

    fn spawn(self: &Arc<Self>, job: u32) {
        let socket = self.clone();
        thread::spawn(move || {
            socket.work(job);
            while let Some(job) = socket.advance() {
                socket.work(job);
            }
        });
    }

    fn work(&self, job: u32) {
        assert_eq!(self.alone.lock().replace(job), None, "two jobs run at once");
        thread::yield_now();
        assert_eq!(self.alone.lock().take(), Some(job));
        self.done.lock().push(Step::Ran(job));
        if job == LAST {
            self.last.send(()).expect("the model waits for it");
        }
    }

    fn advance(&self) -> Option<u32> {
        loop {
            assert_eq!(*self.alone.lock(), None, "a job runs alone");
            match self.queue.next()? {
                Next::Answer(write) => self.done.lock().push(Step::Answered(write)),
                Next::Alone(job) => return Some(job),
                Next::Write(write, place) => {
                    self.done.lock().push(Step::Began(write));
                    self.store.send((write, place)).expect("the store runs");
                }
            }
        }
    }
}

/// A socket, what receives the end of its last job, and its store, which settles two writes at the same moment.
fn socket() -> (Arc<Socket>, mpsc::Receiver<()>) {
    let ((store, begun), (last, ended)) = (mpsc::channel(), mpsc::channel());
    let (done, alone) = (Done::default(), parking_lot::Mutex::default());
    let socket = Arc::new(Socket { queue: Queue::default(), store, last, done, alone });
    let weak = Arc::downgrade(&socket);
    thread::spawn(move || {
        while let Ok((write, place)) = begun.recv() {
            let Some(socket) = weak.upgrade() else { return };
            match begun.try_recv() {
                Ok((later, its_place)) => {
                    let other = socket.clone();
                    thread::spawn(move || other.settle(its_place, later));
                    socket.settle(place, write);
                }
                Err(_) => socket.settle(place, write),
            }
        }
    });
    (socket, ended)
}

/// Waits until the last job has run. Where one is left in the queue for ever, that is a deadlock.
fn wait_for_last(socket: &Arc<Socket>, ended: &mpsc::Receiver<()>) {
    ended.recv().expect("the last job runs");
    socket.push(Job::Alone(LAST + 1));
}

/// The jobs of a client, by their names.
fn jobs() -> [Job<u32, u32>; 5] {
    [Job::Write(1), Job::Alone(2), Job::Write(3), Job::Write(4), Job::Alone(7)]
}

fn name(job: &Job<u32, u32>) -> u32 {
    match job {
        Job::Alone(name) | Job::Write(name) => *name,
    }
}

/// Checks the order of what happened. Returns the names of the jobs that have begun.
fn begun(done: &[Step]) -> Vec<u32> {
    let (mut begun, mut answered, mut writes) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (at, step) in done.iter().enumerate() {
        match *step {
            Step::Began(write) => {
                begun.push(write);
                writes.insert(write, at);
            }
            Step::Answered(write) => {
                assert!(writes.contains_key(&write), "{write} is answered before it has begun: {done:?}");
                answered.push(write);
            }
            Step::Ran(job) => {
                begun.push(job);
                assert_eq!(answered.len(), writes.len(), "{job} runs before the writes before it are done: {done:?}");
            }
        }
    }
    let order: Vec<_> = begun.iter().copied().filter(|name| writes.contains_key(name)).collect();
    assert_eq!(answered, order, "answers are in the order of their writes, each once: {done:?}");
    begun
}

#[test]
fn every_job_runs_once_and_in_its_order_while_the_queue_is_opened_and_writes_are_settled() {
    check(RUNS, || {
        let (socket, ended) = socket();
        let opened = socket.clone();
        thread::spawn(move || {
            opened.queue.open(FIRST);
            opened.run();
        });
        let names: Vec<_> = jobs().iter().map(name).collect();
        jobs().into_iter().for_each(|job| socket.push(job));
        socket.queue.close(LAST);
        socket.run();
        wait_for_last(&socket, &ended);
        let all: Vec<_> = [FIRST].into_iter().chain(names).chain([LAST]).collect();
        assert_eq!(begun(&socket.done.lock()), all);
    });
}

#[test]
fn what_was_added_before_the_end_runs_before_the_last_job_and_nothing_after_it() {
    check(RUNS, || {
        let (socket, ended) = socket();
        socket.queue.open(FIRST);
        socket.run();
        let is_ending = Arc::new(shuttle::sync::atomic::AtomicBool::new(false));
        let (ending, told) = (socket.clone(), is_ending.clone());
        let end = thread::spawn(move || {
            told.store(true, std::sync::atomic::Ordering::SeqCst);
            ending.queue.close(LAST);
            ending.run();
        });
        let mut surely = 1;
        for job in jobs() {
            socket.push(job);
            surely += usize::from(!is_ending.load(std::sync::atomic::Ordering::SeqCst));
        }
        end.join().expect("it does not panic");
        wait_for_last(&socket, &ended);
        let begun = begun(&socket.done.lock());
        let all: Vec<_> = [FIRST].into_iter().chain(jobs().iter().map(name)).collect();
        let (last, before) = begun.split_last().expect("the last job has run");
        assert_eq!(*last, LAST);
        assert!(all.starts_with(before), "{before:?} is not how {all:?} begins");
        assert!(before.len() >= surely, "{before:?} are fewer than {surely}");
    });
}
