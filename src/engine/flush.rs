//! Work that is deferred to the end of a call: flushing the connections to which the call pushed frames, and dropping
//! slow consumers.

use std::sync::Arc;

use super::{
    connection::Connection,
    flushers::{Flush, Flushers},
    slow_consumers::SlowConsumers,
};

/// The connections to which frames were pushed. The drop of this value schedules them for flushing, and then drops the
/// slow consumers among them.
///
/// To disconnect a slow consumer, its sockets are locked and the layers above are called. So a thread that drops this
/// value must hold neither a socket's lock nor a lock of a layer above.
pub(crate) struct PendingFlush<'a> {
    flushers: &'a Flushers,
    dirty: Vec<Arc<dyn Flush>>,
    slow: SlowConsumers,
}

impl<'a> PendingFlush<'a> {
    pub(super) fn new(flushers: &'a Flushers) -> Self {
        Self { flushers, dirty: Vec::new(), slow: SlowConsumers::default() }
    }

    /// Adds a connection to be flushed.
    pub(super) fn add(&mut self, connection: &Arc<Connection>) {
        self.dirty.push(connection.clone());
    }

    /// Adds a connection to be dropped as a slow consumer.
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
