//! The tasks that write: everything that is pushed in one turn of the scheduler leaves in one write per connection.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::sync::Mutex;

/// Something with unsent bytes.
pub(super) trait Flush: Send + Sync {
    /// Writes as much as the kernel takes.
    fn flush(self: Arc<Self>);
}

/// One list per thread of the runtime, each with a task that flushes what is in it.
pub(super) struct Flushers {
    lists: Box<[List]>,
}

#[derive(Default)]
struct List {
    scheduled: Mutex<Vec<Arc<dyn Flush>>>,
    wake: Notify,
}

impl Flushers {
    pub(super) fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { lists: (0..threads).map(|_| List::default()).collect() }
    }

    /// How many lists there are.
    pub(super) fn count(&self) -> usize {
        self.lists.len()
    }

    /// Flushes one of the lists whenever something is in it; runs for ever.
    pub(super) async fn run(&self, index: usize) {
        self.lists[index].run().await;
    }

    /// Moves everything to the lists. Something is always in the same list, so that one task at a time flushes it.
    pub(super) fn schedule(&self, dirty: &mut Vec<Arc<dyn Flush>>) {
        if let [list] = &*self.lists {
            list.add(dirty);
            return;
        }
        for (index, list) in self.lists.iter().enumerate() {
            let mut own: Vec<_> = dirty.extract_if(.., |one| shard(one) % self.lists.len() == index).collect();
            if !own.is_empty() {
                list.add(&mut own);
            }
        }
    }
}

/// Spreads by address: allocations of this size lie at multiples of 64.
fn shard(dirty: &Arc<dyn Flush>) -> usize {
    Arc::as_ptr(dirty).addr() / 64
}

impl List {
    fn add(&self, dirty: &mut Vec<Arc<dyn Flush>>) {
        self.scheduled.lock().append(dirty);
        self.wake.notify_one();
    }

    async fn run(&self) {
        let mut scheduled = Vec::new();
        loop {
            self.wake.notified().await;
            loop {
                std::mem::swap(&mut scheduled, &mut *self.scheduled.lock());
                if scheduled.is_empty() {
                    break;
                }
                for one in scheduled.drain(..) {
                    one.flush();
                }
                tokio::task::yield_now().await;
            }
        }
    }
}
