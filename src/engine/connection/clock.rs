//! The timer of a connection: sends pings, and ends the connection when a deadline has passed.

use std::{sync::Arc, time::Instant};

use super::{Connection, deadlines::Due};
use crate::engine::{
    reason::DisconnectReason,
    timers::{Ticket, Timed},
};

impl Connection {
    /// Sets the timer that calls [`Self::tick`] at the next deadline.
    pub(in crate::engine) fn watch_clock(self: &Arc<Self>) {
        self.state().deadlines.schedule(&self.shared.timers, || Arc::downgrade(self) as _);
    }

    /// Acts on the deadline that has passed. Does nothing if another timer was set after the one with this
    /// ticket.
    fn tick(self: &Arc<Self>, ticket: Ticket, now: Instant) {
        let due = {
            let mut state = self.state();
            if !state.deadlines.is_scheduled_for(ticket) {
                return;
            }
            let has_sockets = !state.sockets.is_empty();
            state.deadlines.due(now, has_sockets, &self.shared.settings)
        };
        match due {
            Due::Nothing => {}
            Due::Ping => {
                for socket in self.sockets() {
                    socket.ping_sent();
                }
                self.send(self.wire.ping(&self.shared.frames));
            }
            Due::PingTimeout => return self.end(DisconnectReason::PingTimeout, None),
            Due::StallTimeout => return self.drop_slow(),
            Due::ConnectTimeout => return self.end(DisconnectReason::ForcedServerClose, None),
            Due::CloseTransport => {
                self.host.remove(&self.sid);
                return self.output().close();
            }
        }
        self.watch_clock();
    }

    /// Called when the server stops or resumes reading from the connection. While the server does not read, the ping
    /// timeout is suspended.
    pub(super) fn stall(self: &Arc<Self>, is_stalled: bool) {
        {
            let mut state = self.state();
            if state.is_closed {
                return;
            }
            state.deadlines.stall(is_stalled, Instant::now());
        }
        self.watch_clock();
    }
}

impl Timed for Connection {
    fn timer_due(self: Arc<Self>, ticket: Ticket, now: Instant) {
        self.tick(ticket, now);
    }
}
