//! The queue of commands for the writing thread.

use std::{thread, time::Duration};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::command::Task;

/// Commands that may wait. One more is `unavailable`.
const MOST: usize = 65_536;
/// Commands in one commit. Larger groups cost latency and save nothing more.
const GROUP: usize = 1_024;
/// How long a single command waits for others. The commands of a burst then share one commit, and each receiver gets
/// the events of that commit in one write to the network.
const LINGER: Duration = Duration::from_micros(100);

/// Commands that wait for the writing thread, first in, first out.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

/// What the writing thread has to do next.
pub(super) enum Next {
    /// Write these, in one commit.
    Group(Vec<Box<dyn Task>>),
    /// Nothing for now.
    Nothing,
    /// End: the inbox is closed and empty.
    Closed,
}

#[derive(Default)]
struct Waiting {
    tasks: Vec<Box<dyn Task>>,
    /// The writing thread sleeps until it is woken.
    is_asleep: bool,
    is_closed: bool,
}

impl Inbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock()
    }

    /// Adds a task. Returns it where the inbox is closed or full; where it is full, the task has failed.
    pub(super) fn push(&self, mut task: Box<dyn Task>) -> Result<(), Box<dyn Task>> {
        let mut waiting = self.waiting();
        if waiting.tasks.len() >= MOST {
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

    /// Waits for the next group. Returns [`Next::Nothing`] when none came within `patience`.
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

    /// Refuses further tasks. Those that wait are still written.
    pub(super) fn close(&self) {
        self.waiting().is_closed = true;
        self.arrived.notify_one();
    }

    /// The writing thread has ended: refuses further tasks and drops those that wait.
    pub(super) fn abandon(&self) {
        let dropped = {
            let mut waiting = self.waiting();
            waiting.is_closed = true;
            std::mem::take(&mut waiting.tasks)
        };
        drop(dropped);
    }
}
