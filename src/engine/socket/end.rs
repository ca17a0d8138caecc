//! Disconnects a socket permanently.

use std::{collections::HashMap, sync::Arc};

use super::{Phase, Socket};
use crate::engine::{
    flush::PendingFlush, frame::Frame, reason::DisconnectReason, recovery_log::RecoveryLog, version::Protocol,
};

impl Socket {
    /// Disconnects the socket permanently. Sends DISCONNECT; after it, a Socket.IO client does not reconnect by itself.
    /// With `close` the whole connection is ended.
    pub(crate) fn kick(self: &Arc<Self>, close: bool) {
        let mut pending = PendingFlush::new(&self.shared.flushers);
        let connection = match &self.state().phase {
            Phase::Connected(connection) => {
                connection.push(&Frame::disconnect(&self.namespace), false, &mut pending);
                Some(connection.clone())
            }
            _ => None,
        };
        if self.protocol == Protocol::Plain
            && let Some(connection) = &connection
        {
            // A plain WebSocket has only this socket, so the connection ends with it.
            return connection.end(DisconnectReason::ServerNamespaceDisconnect, None);
        }
        self.end(DisconnectReason::ServerNamespaceDisconnect);
        // DISCONNECT is flushed only after the socket has ended: the client may send another CONNECT as soon as it has
        // read DISCONNECT.
        drop(pending);
        if let Some(connection) = connection.filter(|_| close) {
            connection.kick();
        }
    }

    /// Disconnects the socket permanently, in any phase, and sends nothing to its client.
    pub(in crate::engine) fn end(self: &Arc<Self>, reason: DisconnectReason) {
        self.end_if(|_| Some(reason));
    }

    /// Disconnects the socket permanently if `reason` returns a disconnect reason for the socket's phase.
    pub(super) fn end_if(self: &Arc<Self>, reason: impl FnOnce(&Phase) -> Option<DisconnectReason>) {
        let (reason, phase, application) = {
            let mut state = self.state();
            let Some(reason) = reason(&state.phase) else { return };
            let phase = std::mem::replace(&mut state.phase, Phase::Closed);
            let application = state.application.take();
            if let (Phase::Away { .. }, Some(application)) = (&phase, &application) {
                self.recoverable.remove_away(self.id, &application.user());
            }
            state.log = RecoveryLog::default();
            state.pending_acks = HashMap::new();
            (reason, phase, application)
        };
        match phase {
            Phase::Closed => return,
            Phase::Connecting(connection) => {
                connection.remove_socket(&**self);
                self.session.close(self.shared.library());
            }
            Phase::Connected(connection) => connection.remove_socket(&**self),
            Phase::Away { until, .. } => self.shared.timers.remove(until),
        }
        if let Some(pid) = &self.pid {
            self.recoverable.remove_pid(pid);
        }
        if let Some(application) = application {
            application.ended(reason);
        }
    }
}
