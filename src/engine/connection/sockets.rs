//! The sockets of a connection: one for each namespace that the client has joined or has sent a CONNECT for.

use std::{sync::Arc, time::Instant};

use super::Connection;
use crate::engine::{client_socket::ClientSocket, plain::state::ConnectDecision, reason::DisconnectReason};

impl Connection {
    /// The socket in a namespace. Its CONNECT may still be undecided.
    pub(super) fn socket(&self, namespace: &str) -> Option<Arc<dyn ClientSocket>> {
        self.state().sockets.iter().find(|socket| socket.namespace() == namespace).cloned()
    }

    /// All sockets of the connection.
    pub(in crate::engine) fn sockets(&self) -> Vec<Arc<dyn ClientSocket>> {
        self.state().sockets.clone()
    }

    /// Adds a socket. False if the connection has ended.
    pub(in crate::engine) fn add_socket(&self, socket: &Arc<impl ClientSocket + 'static>) -> bool {
        let mut state = self.state();
        if state.is_closed {
            return false;
        }
        state.sockets.push(socket.clone());
        true
    }

    /// Called when the client has joined a namespace: the connection is no longer pending.
    pub(in crate::engine) fn namespace_joined(&self) {
        let mut state = self.state();
        state.waiting = None;
        state.deadlines.connected();
    }

    /// Removes a socket. A connection without sockets is pending again, and must join a namespace in time.
    pub(in crate::engine) fn remove_socket(self: &Arc<Self>, socket: &impl ClientSocket) {
        let is_refused = {
            let mut state = self.state();
            state.sockets.retain(|other| !std::ptr::addr_eq(Arc::as_ptr(other), socket));
            if state.is_closed || !state.sockets.is_empty() || state.waiting.is_some() {
                return;
            }
            state.waiting = self.shared.limits.seat_pending(self.request.head.address());
            state.deadlines.expect_connect(Instant::now() + self.shared.settings.connect_timeout);
            state.waiting.is_none()
        };
        if is_refused {
            return self.end(DisconnectReason::ForcedServerClose, None);
        }
        self.watch_clock();
    }

    /// Stores the decision on the CONNECT of a plain WebSocket client, and wakes the connection's reader. The reader
    /// then processes the texts that arrived before the decision.
    pub(in crate::engine) fn connect_decided(&self, decision: impl FnOnce() -> ConnectDecision) {
        if self.wire.decide(decision) {
            self.output().wake_reader();
        }
    }

    /// Sends DISCONNECT for every namespace, and ends the connection.
    pub(in crate::engine) fn kick(self: &Arc<Self>) {
        for socket in self.sockets() {
            socket.kick();
        }
        self.end(DisconnectReason::ServerNamespaceDisconnect, None);
    }
}
