//! What waits for the writing thread.

use std::{thread, time::Duration};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::writer::Task;

/// Writes that may wait; one more is `unavailable`.
const MOST: usize = 65_536;
/// Writes in one commit. Larger groups cost latency and save nothing more.
const GROUP: usize = 1_024;
/// How long a write that comes alone waits for company. A burst then shares its commit, and those who hear it get it
/// in one piece: for each of them one write to the network instead of several.
const LINGER: Duration = Duration::from_micros(100);

/// The way to the writing thread, first in, first out.
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
    /// Nothing any more: the inbox is closed and empty.
    Closed,
}

#[derive(Default)]
struct Waiting {
    tasks: Vec<Box<dyn Task>>,
    /// The thread sleeps until it is woken.
    is_asleep: bool,
    is_closed: bool,
}

impl Inbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock()
    }

    /// Gives it back where nobody is there to do it, and where there is no place for it; then it has failed.
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

    /// The next group, once there is one. Nothing, after so long, where there is none.
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

    /// Takes nothing more; what waits is still done.
    pub(super) fn close(&self) {
        self.waiting().is_closed = true;
        self.arrived.notify_one();
    }

    /// Nobody is there any more: what waits is dropped.
    pub(super) fn abandon(&self) {
        let dropped = {
            let mut waiting = self.waiting();
            waiting.is_closed = true;
            std::mem::take(&mut waiting.tasks)
        };
        drop(dropped);
    }
}
