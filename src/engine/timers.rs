//! The engine's timers: one task calls connections and sockets when a deadline of theirs has come.

use std::{
    sync::{Arc, Weak},
    time::Instant,
};

use crate::deadlines::Deadlines;
pub(super) use crate::deadlines::Ticket;

/// Something that sets timers: a connection or a socket.
pub(super) trait Timed: Send + Sync {
    /// The timer with this ticket has gone off.
    fn timer_due(self: Arc<Self>, ticket: Ticket, now: Instant);
}

/// All timers of the engine. A connection or socket that is dropped before its timer goes off is not called.
pub(super) type Timers = Deadlines<Weak<dyn Timed>>;

impl Timers {
    /// Calls the connections and sockets whose timers go off, forever.
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
