//! The engine's timers: one task calls each connection and socket whose deadline has passed.

use std::{
    sync::{Arc, Weak},
    time::Instant,
};

use crate::deadlines::Deadlines;
pub(super) use crate::deadlines::Ticket;

/// A connection or a socket, which sets timers.
pub(super) trait Timed: Send + Sync {
    /// Called when the timer with this ticket has fired.
    fn timer_due(self: Arc<Self>, ticket: Ticket, now: Instant);
}

/// All timers of the engine. A connection or socket that is dropped before its timer fires is not called.
pub(super) type Timers = Deadlines<Weak<dyn Timed>>;

impl Timers {
    /// Calls the connections and sockets whose timers fire. Never returns.
    pub(super) async fn run(&self) {
        loop {
            for (ticket, timed) in self.due().await {
                if let Some(timed) = timed.upgrade() {
                    timed.timer_due(ticket, Instant::now());
                }
            }
        }
    }
}
