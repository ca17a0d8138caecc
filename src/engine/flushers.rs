//! The tasks that write to WebSockets: all frames that are pushed to a connection before its task runs are sent in one
//! write.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::sync::Mutex;

/// A connection with unsent bytes.
pub(super) trait Flush: Send + Sync {
    /// Writes as much as the kernel accepts.
    fn flush(self: Arc<Self>);
}

/// One list of connections per thread of the runtime, each with a task that flushes them.
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

    /// The number of lists.
    pub(super) fn count(&self) -> usize {
        self.lists.len()
    }

    /// Flushes the connections in the list with this index. Never returns.
    pub(super) async fn run(&self, index: usize) {
        self.lists[index].run().await;
    }

    /// Moves connections from `dirty` to the lists. Each connection always goes to the same list, so that only one task
    /// flushes it.
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

/// Selects a list by the connection's address in memory. The low bits of an address are the same for all connections.
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
