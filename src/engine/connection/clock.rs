//! The clock of a connection: pings, and the deadlines of what its client must do.

use std::{sync::Arc, time::Instant};

use super::Connection;
use crate::engine::{
    heartbeat::Due,
    reason::DisconnectReason,
    timers::{Ticket, Timed},
};

impl Connection {
    /// Has [`Self::tick`] called when something is due.
    pub(in crate::engine) fn watch_clock(self: &Arc<Self>) {
        self.state().beat.schedule(&self.shared.timers, || Arc::downgrade(self) as _);
    }

    /// Does what is due, if this timer is the one that was set last.
    fn tick(self: &Arc<Self>, ticket: Ticket, now: Instant) {
        let due = {
            let mut state = self.state();
            if !state.beat.is_scheduled_for(ticket) {
                return;
            }
            let has_sockets = !state.sockets.is_empty();
            state.beat.due(now, has_sockets, &self.shared.settings)
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
            Due::Leave => {
                self.host.remove(&self.sid);
                return self.output().close();
            }
        }
        self.watch_clock();
    }

    /// The server stops reading from it, or reads again: meanwhile its ping deadline stands still.
    pub(super) fn stall(self: &Arc<Self>, is_stalled: bool) {
        {
            let mut state = self.state();
            if state.is_closed {
                return;
            }
            state.beat.stall(is_stalled, Instant::now());
        }
        self.watch_clock();
    }
}

impl Timed for Connection {
    fn timer_due(self: Arc<Self>, ticket: Ticket, now: Instant) {
        self.tick(ticket, now);
    }
}
