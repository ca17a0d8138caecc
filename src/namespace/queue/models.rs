//! A model of a socket's queue: the threads work on it as `namespace/worker.rs` does, without the sockets.

use std::{collections::BTreeMap, sync::Arc};

use shuttle::{sync::mpsc, thread};

use super::*;
use crate::sync::models::check;

/// Number of runs of each model with each of the two schedulers.
const RUNS: usize = 800;

type Done = parking_lot::Mutex<Vec<Step>>;

/// A step, recorded in the order in which it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Ran(u32),
    Overlapped(u32),
    Began(u32),
    Answered(u32),
}

/// The names of the first and the last job. The jobs of `jobs` have names between them.
const FIRST: u32 = 0;
const LAST: u32 = 100;
/// How many overlapping jobs may run at the same time.
const OVERLAPPING: usize = 2;

/// The model of an `AppSocket`. A job is a number, its name.
struct Socket {
    queue: Queue<u32, u32, u32>,
    store: mpsc::Sender<(u32, WriteNumber)>,
    last: mpsc::Sender<()>,
    done: Done,
    /// The job that runs alone now.
    alone: parking_lot::Mutex<Option<u32>>,
    /// How many overlapping jobs run now.
    overlapping: parking_lot::Mutex<usize>,
}

impl Socket {
    fn push(self: &Arc<Self>, job: Job<u32, u32>) {
        self.queue.push(job);
        self.run();
    }

    fn complete(self: &Arc<Self>, number: WriteNumber, answer: u32) {
        self.queue.set_answer(number, answer);
        if self.queue.claim()
            && let Some(job) = self.advance()
        {
            self.spawn(job);
        }
    }

    /// A third of the jobs run in another thread, as a handler that must wait runs in a task.
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
        assert_eq!(*self.overlapping.lock(), 0, "{job} runs alone");
        thread::yield_now();
        assert_eq!(self.alone.lock().take(), Some(job));
        self.done.lock().push(Step::Ran(job));
        if job == LAST {
            self.last.send(()).expect("the model waits for the last job");
        }
    }

    /// Runs a job in a thread of its own.
    fn overlap(self: &Arc<Self>, job: u32) {
        *self.overlapping.lock() += 1;
        assert!(*self.overlapping.lock() <= OVERLAPPING, "too many jobs overlap");
        let socket = self.clone();
        thread::spawn(move || {
            thread::yield_now();
            assert_eq!(*socket.alone.lock(), None, "a job runs alone");
            socket.done.lock().push(Step::Overlapped(job));
            *socket.overlapping.lock() -= 1;
            socket.queue.end_overlapping();
            socket.run();
        });
    }

    fn advance(self: &Arc<Self>) -> Option<u32> {
        loop {
            assert_eq!(*self.alone.lock(), None, "a job runs alone");
            match self.queue.next()? {
                Action::Answer(write) => self.done.lock().push(Step::Answered(write)),
                Action::Alone(job) => return Some(job),
                Action::Overlapping(job) => self.overlap(job),
                Action::Write(write, number) => {
                    self.done.lock().push(Step::Began(write));
                    self.store.send((write, number)).expect("the store runs");
                }
            }
        }
    }
}

/// A socket, and a channel that receives `()` after its last job. If two writes have begun, the store's thread
/// completes them at the same time.
fn socket() -> (Arc<Socket>, mpsc::Receiver<()>) {
    let ((store, begun), (last, ended)) = (mpsc::channel(), mpsc::channel());
    let (done, alone, overlapping) = Default::default();
    let socket = Arc::new(Socket { queue: Queue::default(), store, last, done, alone, overlapping });
    socket.queue.set_overlapping_max(OVERLAPPING);
    let weak = Arc::downgrade(&socket);
    thread::spawn(move || {
        while let Ok((write, number)) = begun.recv() {
            let Some(socket) = weak.upgrade() else { return };
            match begun.try_recv() {
                Ok((later, its_number)) => {
                    let other = socket.clone();
                    thread::spawn(move || other.complete(its_number, later));
                    socket.complete(number, write);
                }
                Err(_) => socket.complete(number, write),
            }
        }
    });
    (socket, ended)
}

/// Waits until the last job has run. If a job stayed in the queue for ever, the model would report a deadlock.
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
        Job::Alone(name) | Job::Overlapping(name) | Job::Write(name) => *name,
    }
}

/// Checks the order of the steps. Returns the names of the jobs that have begun.
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
            Step::Overlapped(job) => begun.push(job),
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
fn every_job_runs_once_and_in_order_while_the_queue_is_opened_and_writes_are_completed() {
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
fn jobs_added_before_the_end_run_before_the_last_job_and_none_run_after_it() {
    check(RUNS, || {
        let (socket, ended) = socket();
        socket.queue.open(FIRST);
        socket.run();
        let is_ending = Arc::new(shuttle::sync::atomic::AtomicBool::new(false));
        let (ending, set_ending) = (socket.clone(), is_ending.clone());
        let end = thread::spawn(move || {
            set_ending.store(true, std::sync::atomic::Ordering::SeqCst);
            ending.queue.close(LAST);
            ending.run();
        });
        // The first job, and each job that was added before the end.
        let mut least = 1;
        for job in jobs() {
            socket.push(job);
            least += usize::from(!is_ending.load(std::sync::atomic::Ordering::SeqCst));
        }
        end.join().expect("the thread does not panic");
        wait_for_last(&socket, &ended);
        let begun = begun(&socket.done.lock());
        let all: Vec<_> = [FIRST].into_iter().chain(jobs().iter().map(name)).collect();
        let (last, before) = begun.split_last().expect("the last job has run");
        assert_eq!(*last, LAST);
        assert!(all.starts_with(before), "{before:?} is not the beginning of {all:?}");
        assert!(before.len() >= least, "{before:?} are fewer than {least}");
    });
}

#[test]
fn overlapping_jobs_run_once_up_to_their_number_at_a_time_and_before_the_jobs_behind_them() {
    check(RUNS, || {
        let (socket, ended) = socket();
        socket.queue.open(FIRST);
        socket.run();
        let overlapping = [Job::Overlapping(1), Job::Overlapping(2), Job::Write(3), Job::Overlapping(4)];
        for job in overlapping.into_iter().chain([Job::Overlapping(5), Job::Alone(6), Job::Overlapping(7)]) {
            socket.push(job);
        }
        socket.queue.close(LAST);
        socket.run();
        wait_for_last(&socket, &ended);
        let mut begun = begun(&socket.done.lock());
        assert_eq!((begun[0], &begun[begun.len() - 3..]), (FIRST, &[6, 7, LAST][..]));
        begun.sort_unstable();
        assert_eq!(begun, [FIRST, 1, 2, 3, 4, 5, 6, 7, LAST]);
    });
}
