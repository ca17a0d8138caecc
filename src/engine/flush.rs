//! What one call that sends has left to do: flush the connections it pushed to, and drop the slow ones.

use std::sync::Arc;

use super::{
    connection::Connection,
    flushers::{Flush, Flushers},
    slow_consumers::SlowConsumers,
};

/// The connections that frames were pushed to. When it is dropped, they are scheduled for flushing; then the slow
/// consumers among them are dropped.
///
/// It must not be dropped while a lock is held that a disconnect takes: a socket's, or one of the layers above.
pub(crate) struct PendingFlush<'a> {
    flushers: &'a Flushers,
    dirty: Vec<Arc<dyn Flush>>,
    slow: SlowConsumers,
}

impl<'a> PendingFlush<'a> {
    pub(super) fn new(flushers: &'a Flushers) -> Self {
        Self { flushers, dirty: Vec::new(), slow: SlowConsumers::default() }
    }

    /// Has a connection flushed.
    pub(super) fn add(&mut self, connection: &Arc<Connection>) {
        self.dirty.push(connection.clone());
    }

    /// Has a connection dropped as a slow consumer.
    pub(super) fn add_slow(&mut self, connection: &Arc<Connection>) {
        self.slow.add(connection);
    }
}

impl Drop for PendingFlush<'_> {
    fn drop(&mut self) {
        if !self.dirty.is_empty() {
            self.flushers.schedule(&mut self.dirty);
        }
        self.slow.drop_all();
    }
}
