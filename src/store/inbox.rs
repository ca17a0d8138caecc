//! The queue of the writer thread.

use std::{thread, time::Duration};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::writer::Task;

/// Capacity of the queue; a write beyond it gets `unavailable`.
const CAPACITY: usize = 65_536;
/// Most writes in one commit. Larger groups add latency and gain no throughput.
const GROUP: usize = 1_024;
/// How long a single write waits for others to share its commit. The writes of a burst are then also broadcast
/// together, and each client gets them in one socket write instead of several.
const LINGER: Duration = Duration::from_micros(100);

/// The queue of writes, first in, first out.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

/// What the writer thread does next.
pub(super) enum Next {
    /// Commit these writes together.
    Group(Vec<Box<dyn Task>>),
    /// Nothing arrived in time.
    Nothing,
    /// End: the queue is closed and empty.
    Closed,
}

#[derive(Default)]
struct Waiting {
    tasks: Vec<Box<dyn Task>>,
    /// Whether the thread waits on `arrived` and must be woken.
    is_asleep: bool,
    is_closed: bool,
}

impl Inbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock()
    }

    /// Queues a task. Returns it if the queue is closed, or if it is full; a full queue marks it as failed.
    pub(super) fn push(&self, mut task: Box<dyn Task>) -> Result<(), Box<dyn Task>> {
        let mut waiting = self.waiting();
        if waiting.tasks.len() >= CAPACITY {
            task.fail();
            return Err(task);
        }
        if waiting.is_closed {
            return Err(task);
        }
        waiting.tasks.push(task);
        let is_asleep = std::mem::take(&mut waiting.is_asleep);
        drop(waiting);
        if is_asleep {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for the next group; [`Next::Nothing`] after `patience` without a write.
    pub(super) fn next_group(&self, patience: Duration) -> Next {
        let mut waiting = self.waiting();
        while waiting.tasks.is_empty() && !waiting.is_closed {
            waiting.is_asleep = true;
            if self.arrived.wait_for(&mut waiting, patience).timed_out() {
                waiting.is_asleep = false;
                break;
            }
        }
        if waiting.tasks.len() == 1 && !waiting.is_closed {
            drop(waiting);
            thread::sleep(LINGER);
            waiting = self.waiting();
        }
        match waiting.tasks.len() {
            0 if waiting.is_closed => Next::Closed,
            0 => Next::Nothing,
            len if len <= GROUP => Next::Group(std::mem::take(&mut waiting.tasks)),
            _ => Next::Group(waiting.tasks.drain(..GROUP).collect()),
        }
    }

    /// Accepts no more tasks; those in the queue are still committed.
    pub(super) fn close(&self) {
        self.waiting().is_closed = true;
        self.arrived.notify_one();
    }

    /// Accepts no more tasks and drops those in the queue: the writer thread has ended.
    pub(super) fn abandon(&self) {
        let dropped = {
            let mut waiting = self.waiting();
            waiting.is_closed = true;
            std::mem::take(&mut waiting.tasks)
        };
        drop(dropped);
    }
}
