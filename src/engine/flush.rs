//! Who writes: everything that is pushed in one turn of the scheduler leaves in one write per client.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Engine, connection::Connection};
use crate::supervise::Background;

/// One list per thread of the runtime, each with a task that writes.
pub(super) struct Flushers {
    lists: Vec<List>,
}

#[derive(Default)]
struct List {
    connections: Mutex<Vec<Arc<Connection>>>,
    wake: Notify,
}

impl Flushers {
    pub(super) fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { lists: (0..threads).map(|_| List::default()).collect() }
    }

    /// Starts the tasks.
    pub(super) fn run(engine: &Arc<Engine>, background: &mut Background) {
        for index in 0..engine.flushers.lists.len() {
            let engine = engine.clone();
            background.spawn(&format!("flusher-{index}"), async move { engine.flushers.lists[index].flush().await });
        }
    }

    fn schedule(&self, connections: &mut Vec<Arc<Connection>>) {
        if let [list] = self.lists.as_slice() {
            list.add(connections);
            return;
        }
        for (index, list) in self.lists.iter().enumerate() {
            let mut own: Vec<_> =
                connections.extract_if(.., |connection| connection.shard() % self.lists.len() == index).collect();
            if !own.is_empty() {
                list.add(&mut own);
            }
        }
    }
}

impl List {
    fn add(&self, connections: &mut Vec<Arc<Connection>>) {
        self.connections.lock().append(connections);
        self.wake.notify_one();
    }

    async fn flush(&self) {
        let mut connections = Vec::new();
        loop {
            self.wake.notified().await;
            loop {
                std::mem::swap(&mut connections, &mut *self.connections.lock());
                if connections.is_empty() {
                    break;
                }
                for connection in connections.drain(..) {
                    connection.flush();
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

/// The connections that something was pushed to, until it is dropped: then they are flushed, and those that could not
/// take it are dropped. Never while a lock is held that a disconnect needs.
pub(crate) struct PendingFlush<'a> {
    engine: &'a Engine,
    dirty: Vec<Arc<Connection>>,
    slow: Vec<Arc<Connection>>,
}

impl<'a> PendingFlush<'a> {
    pub(super) fn new(engine: &'a Engine) -> Self {
        Self { engine, dirty: Vec::new(), slow: Vec::new() }
    }

    pub(super) fn add(&mut self, connection: &Arc<Connection>) {
        self.dirty.push(connection.clone());
    }

    pub(super) fn add_slow(&mut self, connection: &Arc<Connection>) {
        self.slow.push(connection.clone());
    }
}

impl Drop for PendingFlush<'_> {
    fn drop(&mut self) {
        if !self.dirty.is_empty() {
            self.engine.flushers.schedule(&mut self.dirty);
        }
        for connection in self.slow.drain(..) {
            connection.drop_slow();
        }
    }
}
