//! The queue of commands for the writing thread.

use std::{thread, time::Duration};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::command::Task;

/// Maximum number of commands in the queue. Further commands fail with `unavailable`.
const QUEUE_MAX: usize = 65_536;
/// Maximum number of commands in one commit. Larger groups add latency and save nothing.
const GROUP_MAX: usize = 1_024;
/// How long a single command waits for others, so that the commands of a burst share one commit. Each receiver then
/// gets the events of that commit in one write to the network.
const LINGER: Duration = Duration::from_micros(100);

/// The queue of commands for the writing thread, first in, first out.
#[derive(Default)]
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

/// The result of [`Inbox::next_group`].
pub(super) enum NextGroup {
    /// The commands of the next commit.
    Tasks(Vec<Box<dyn Task>>),
    /// No command arrived in time.
    Timeout,
    /// The inbox is closed and empty.
    Closed,
}

#[derive(Default)]
struct Queue {
    tasks: Vec<Box<dyn Task>>,
    /// Whether the writing thread waits for `arrived`.
    is_asleep: bool,
    is_closed: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    /// Adds a task. Returns the task if the inbox is closed or full. If the inbox is full, [`Task::fail`] has been
    /// called.
    pub(super) fn push(&self, mut task: Box<dyn Task>) -> Result<(), Box<dyn Task>> {
        let mut queue = self.lock();
        if queue.tasks.len() >= QUEUE_MAX {
            task.fail("the store is busy");
            return Err(task);
        }
        if queue.is_closed {
            return Err(task);
        }
        queue.tasks.push(task);
        let is_asleep = std::mem::take(&mut queue.is_asleep);
        drop(queue);
        if is_asleep {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for the next group. Returns [`NextGroup::Timeout`] if no command arrives within `timeout`.
    pub(super) fn next_group(&self, timeout: Duration) -> NextGroup {
        let mut queue = self.lock();
        while queue.tasks.is_empty() && !queue.is_closed {
            queue.is_asleep = true;
            if self.arrived.wait_for(&mut queue, timeout).timed_out() {
                queue.is_asleep = false;
                break;
            }
        }
        if queue.tasks.len() == 1 && !queue.is_closed {
            drop(queue);
            thread::sleep(LINGER);
            queue = self.lock();
        }
        match queue.tasks.len() {
            0 if queue.is_closed => NextGroup::Closed,
            0 => NextGroup::Timeout,
            len if len <= GROUP_MAX => NextGroup::Tasks(std::mem::take(&mut queue.tasks)),
            _ => NextGroup::Tasks(queue.tasks.drain(..GROUP_MAX).collect()),
        }
    }

    /// Whether further tasks are refused for good.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Refuses further tasks. Tasks that are queued already are still written.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_one();
    }

    /// Refuses further tasks and drops the queued ones. Called when the writing thread has ended.
    pub(super) fn abandon(&self) {
        let dropped = {
            let mut queue = self.lock();
            queue.is_closed = true;
            std::mem::take(&mut queue.tasks)
        };
        drop(dropped);
    }
}
