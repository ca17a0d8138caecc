//! The engine's background tasks.

use std::sync::Arc;

use super::{handle::Engine, memory_relief};
use crate::supervise::Background;

impl Engine {
    /// Starts the background tasks.
    pub(crate) fn run(self: &Arc<Self>, background: &mut Background) {
        for index in 0..self.shared.flushers.count() {
            let shared = self.shared.clone();
            background.spawn(&format!("flusher-{index}"), async move { shared.flushers.run(index).await });
        }
        background.spawn("clock", {
            let shared = self.shared.clone();
            async move { shared.timers.run().await }
        });
        background.spawn("relief", memory_relief::relieve(self.clone()));
        background.spawn("memory", memory_relief::trim(self.shared.clone()));
    }
}
