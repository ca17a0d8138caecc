//! A socket's client goes away and comes back (Socket.IO's connection state recovery).

use std::{sync::Arc, time::Instant};

use super::{Phase, Socket};
use crate::engine::{
    connection::Connection,
    flush::PendingFlush,
    reason::DisconnectReason,
    recovery_log::RecoveryLog,
    replays::Seen,
    timers::{Ticket, Timed},
};

impl Socket {
    /// Bytes of its log, each event in full.
    pub(in crate::engine) fn log_bytes(&self) -> usize {
        self.state().log.bytes()
    }

    /// Empties its log: from now on its client can only recover it if it has received everything.
    pub(in crate::engine) fn give_up_log(&self) {
        self.state().log.give_up();
    }

    /// Its connection of this `sid` has ended.
    pub(super) fn lose_connection(self: &Arc<Self>, sid: &str, reason: DisconnectReason) {
        let mut state = self.state();
        let (Phase::Connected(own) | Phase::Connecting(own)) = &state.phase else { return };
        if own.sid != sid {
            // Its client has come back through another connection.
            return;
        }
        let may_return = matches!(state.phase, Phase::Connected(_)) && self.pid.is_some() && reason.is_recoverable();
        if !may_return {
            drop(state);
            return self.end(reason);
        }
        let until = Instant::now() + self.shared.settings.recovery.window;
        let until = self.shared.timers.add(until, Arc::downgrade(self) as _);
        state.phase = Phase::Away { reason, until };
        state.asked.clear();
        let Some(application) = state.application.clone() else { return };
        application.leave_seat();
        let evicted = self.away.add(self.id, self, application.user());
        drop(state);
        application.moved();
        for socket in evicted {
            socket.give_up();
        }
    }

    /// Its client is back: the events that it missed are sent first, then CONNECT.
    pub(in crate::engine) fn resume(self: &Arc<Self>, connection: &Arc<Connection>, seen: Seen, auth: &str) -> Resumed {
        let mut pending = PendingFlush::new(&self.shared.flushers);
        let Some(application) = self.application() else { return Resumed::NotYours };
        if !application.readmit(&connection.handshake, auth) {
            return Resumed::NotYours;
        }
        let mut guard = self.state();
        let state = &mut *guard;
        let hanging = match &state.phase {
            Phase::Away { .. } => None,
            // The server has not noticed yet that the old connection is dead.
            Phase::Connected(hanging) if !Arc::ptr_eq(hanging, connection) => Some(hanging.clone()),
            Phase::Connected(_) | Phase::Connecting(_) | Phase::Closed => return Resumed::NotYours,
        };
        if !state.replays.may_go_on(seen) {
            drop(guard);
            tracing::info!(socket = %self.id, "not recovered: what it missed has broken its connection twice");
            self.end(DisconnectReason::TransportClose);
            return Resumed::Broken;
        }
        if !is_whole(&state.log, seen) {
            drop(guard);
            self.end(DisconnectReason::TransportClose);
            return Resumed::Lost;
        }
        if hanging.is_none() && !application.take_seat(&connection.handshake) {
            return Resumed::NotYours;
        }
        if !connection.add_socket(self) {
            if hanging.is_none() {
                application.leave_seat();
            }
            return Resumed::NotYours;
        }
        connection.joined();
        if let Phase::Away { until, .. } = std::mem::replace(&mut state.phase, Phase::Connected(connection.clone())) {
            self.shared.timers.remove(until);
            self.away.remove(self.id, &application.user());
        }
        for frame in state.log.after(seen.number()) {
            state.replays.last = frame.number();
            connection.push(frame, false, &mut pending);
        }
        connection.push(&self.connect_frame(), false, &mut pending);
        drop(guard);
        match hanging {
            None => application.moved(),
            Some(hanging) => hanging.lose(DisconnectReason::TransportClose),
        }
        Resumed::Yes
    }

    /// Disconnects it for good if its client is away.
    pub(in crate::engine) fn give_up(self: &Arc<Self>) {
        self.end_if(|phase| match phase {
            Phase::Away { reason, .. } => Some(*reason),
            _ => None,
        });
    }
}

impl Timed for Socket {
    /// The recovery window is over, if this is still its timer.
    fn timer_due(self: Arc<Self>, ticket: Ticket, _: Instant) {
        self.end_if(|phase| match phase {
            Phase::Away { reason, until } if *until == ticket => Some(*reason),
            _ => None,
        });
    }
}

/// Whether a log still has everything that came after the last event its client has received.
fn is_whole(log: &RecoveryLog, seen: Seen) -> bool {
    !matches!(seen, Seen::Unknown) && log.is_whole_after(seen.number())
}

/// Whether a client has recovered a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Resumed {
    Yes,
    /// It is another user's, or in a phase in which it cannot be recovered.
    NotYours,
    /// Some of the events that its client missed are no longer kept.
    Lost,
    /// Recoveries of this socket have broken the connection too often.
    Broken,
}
