//! All open connections, by `sid`.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use super::connection::Connection;

/// The open connections. An ended connection removes itself through [`Host`](super::connection::Host).
#[derive(Default)]
pub(super) struct Connections {
    by_sid: Mutex<HashMap<String, Arc<Connection>>>,
}

impl Connections {
    pub(super) fn add(&self, connection: &Arc<Connection>) {
        self.by_sid.lock().insert(connection.sid.clone(), connection.clone());
    }

    pub(super) fn remove(&self, sid: &str) {
        let removed = self.by_sid.lock().remove(sid);
        // Dropped after the lock is released.
        drop(removed);
    }

    pub(super) fn find(&self, sid: &str) -> Option<Arc<Connection>> {
        self.by_sid.lock().get(sid).cloned()
    }

    /// All current connections. The lock is released before this returns.
    pub(super) fn all(&self) -> Vec<Arc<Connection>> {
        self.by_sid.lock().values().cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_sid.lock().is_empty()
    }
}
