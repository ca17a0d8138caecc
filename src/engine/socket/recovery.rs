//! Connection state recovery: a socket's client goes away and comes back.

use std::{sync::Arc, time::Instant};

use super::{Phase, Socket, charged_handshake::ChargedHandshake};
use crate::engine::{
    connection::Connection,
    flush::PendingFlush,
    reason::DisconnectReason,
    recovery_log::RecoveryLog,
    replays::LastReceived,
    timers::{Ticket, Timed},
};

impl Socket {
    /// Bytes in the socket's recovery log. Events that the log shares with others are counted in full.
    pub(in crate::engine) fn log_bytes(&self) -> usize {
        self.state().log.bytes()
    }

    /// Empties the socket's recovery log. From now on the client can recover the socket only if the client has received
    /// every event.
    pub(in crate::engine) fn clear_log(&self) {
        self.state().log.clear();
    }

    /// Removes and returns the changes of the socket's client since the last call, in order.
    pub(crate) fn take_changes(&self) -> Vec<ClientChange> {
        std::mem::take(&mut self.state().changes)
    }

    /// Handles the end of the connection with this `sid`. A recoverable socket becomes away. Any other socket ends.
    pub(super) fn lose_connection(self: &Arc<Self>, sid: &str, reason: DisconnectReason) {
        let mut state = self.state();
        let (Phase::Connected(own) | Phase::Connecting(own)) = &state.phase else { return };
        if own.sid != sid {
            // The client has already recovered the socket through another connection.
            return;
        }
        let is_recoverable =
            matches!(state.phase, Phase::Connected(_)) && self.pid.is_some() && reason.is_recoverable();
        if !is_recoverable {
            drop(state);
            return self.end(reason);
        }
        let until = Instant::now() + self.shared.settings.recovery.window;
        let until = self.shared.timers.insert(until, Arc::downgrade(self) as _);
        state.phase = Phase::Away { reason, until };
        state.pending_acks.clear();
        let Some(application) = state.application.clone() else { return };
        application.leave_seat();
        let evicted = self.recoverable.add_away(self.id, self, application.user(), reason);
        state.changes.push(ClientChange::Away(reason));
        drop(state);
        application.away_changed();
        for socket in evicted {
            socket.end_if_away();
        }
    }

    /// Recovers the socket through a new connection: sends the events that the client missed, then CONNECT.
    pub(in crate::engine) fn recover(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        last_received: LastReceived,
        auth: &str,
    ) -> RecoveryResult {
        let mut pending = PendingFlush::new(&self.shared.flushers);
        let Some(application) = self.application() else { return RecoveryResult::Refused };
        let new = ChargedHandshake::new(connection, auth);
        if !application.readmit(&new.handshake) {
            return RecoveryResult::Refused;
        }
        let mut guard = self.state();
        let state = &mut *guard;
        let old_connection = match &state.phase {
            Phase::Away { .. } => None,
            // The server has not noticed yet that the old connection is dead.
            Phase::Connected(old_connection) if !Arc::ptr_eq(old_connection, connection) => {
                Some(old_connection.clone())
            }
            Phase::Connected(_) | Phase::Connecting(_) | Phase::Closed => return RecoveryResult::Refused,
        };
        if !state.replays.may_replay(last_received) {
            drop(guard);
            tracing::info!(socket = %self.id, "recovery refused: the connection broke twice while missed events were replayed");
            self.end(DisconnectReason::TransportClose);
            return RecoveryResult::Broken;
        }
        if !is_whole(&state.log, last_received) {
            drop(guard);
            self.end(DisconnectReason::TransportClose);
            return RecoveryResult::Lost;
        }
        if old_connection.is_none() && !application.take_seat(&new.handshake) {
            return RecoveryResult::Refused;
        }
        if !connection.add_socket(self) {
            if old_connection.is_none() {
                application.leave_seat();
            }
            return RecoveryResult::Refused;
        }
        connection.namespace_joined();
        if let Phase::Away { until, .. } = std::mem::replace(&mut state.phase, Phase::Connected(connection.clone())) {
            self.shared.timers.remove(until);
            self.recoverable.remove_away(self.id, &application.user());
        }
        state.handshake = new;
        // What the old connection was asked is not asked again.
        state.pending_acks.clear();
        for frame in state.log.replay_after(last_received.number()) {
            if frame.is_transient() {
                continue;
            }
            state.replays.last = frame.number();
            connection.push(frame, false, &mut pending);
        }
        connection.push(&self.connect_frame(), false, &mut pending);
        state.changes.push(if old_connection.is_none() { ClientChange::Back } else { ClientChange::Replaced });
        drop(guard);
        if let Some(old_connection) = old_connection {
            old_connection.abort(DisconnectReason::TransportClose);
        }
        application.away_changed();
        RecoveryResult::Recovered
    }

    /// Ends the socket if its client is away.
    pub(crate) fn end_if_away(self: &Arc<Self>) {
        self.end_if(|phase| match phase {
            Phase::Away { reason, .. } => Some(*reason),
            _ => None,
        });
    }
}

impl Timed for Socket {
    /// The recovery window has ended. The ticket of an earlier window has no effect.
    fn timer_due(self: Arc<Self>, ticket: Ticket, _: Instant) {
        self.end_if(|phase| match phase {
            Phase::Away { reason, until } if *until == ticket => Some(*reason),
            _ => None,
        });
    }
}

/// Whether a log still has all events after the last one that its client has received.
fn is_whole(log: &RecoveryLog, last_received: LastReceived) -> bool {
    !matches!(last_received, LastReceived::Unknown) && log.is_whole_after(last_received.number())
}

/// A change of a socket's client that does not end the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientChange {
    /// The client's connection has ended, for this reason.
    Away(DisconnectReason),
    /// The client has recovered the socket.
    Back,
    /// The client has recovered the socket before the server noticed that the old connection was dead.
    Replaced,
}

/// The outcome of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum RecoveryResult {
    Recovered,
    /// The socket belongs to another user, or is in a phase in which it cannot be recovered.
    Refused,
    /// The log no longer has all events that the client missed.
    Lost,
    /// Too many recoveries of the socket ended with a broken connection.
    Broken,
}
