//! The sockets of a connection: one for each namespace that its client joined or wants to join.

use std::{sync::Arc, time::Instant};

use super::Connection;
use crate::engine::{client_socket::ClientSocket, plain::state::Verdict, reason::DisconnectReason};

impl Connection {
    /// The socket in a namespace, whether its CONNECT was accepted already or not.
    pub(super) fn socket(&self, namespace: &str) -> Option<Arc<dyn ClientSocket>> {
        self.state().sockets.iter().find(|socket| socket.namespace() == namespace).cloned()
    }

    /// All its sockets.
    pub(in crate::engine) fn sockets(&self) -> Vec<Arc<dyn ClientSocket>> {
        self.state().sockets.clone()
    }

    /// Adds a socket. False where the connection has ended.
    pub(in crate::engine) fn add_socket(&self, socket: &Arc<impl ClientSocket + 'static>) -> bool {
        let mut state = self.state();
        if state.is_closed {
            return false;
        }
        state.sockets.push(socket.clone());
        true
    }

    /// The client has joined a namespace: the connection is pending no longer.
    pub(in crate::engine) fn joined(&self) {
        let mut state = self.state();
        state.waiting = None;
        state.beat.connected();
    }

    /// Removes a socket. A connection without sockets is pending again, and must join a namespace in time.
    pub(in crate::engine) fn remove_socket(self: &Arc<Self>, socket: &impl ClientSocket) {
        let is_one_too_many = {
            let mut state = self.state();
            state.sockets.retain(|other| !std::ptr::addr_eq(Arc::as_ptr(other), socket));
            if state.is_closed || !state.sockets.is_empty() || state.waiting.is_some() {
                return;
            }
            state.waiting = self.shared.limits.wait(self.handshake.address);
            state.beat.expect_connect(Instant::now() + self.shared.settings.connect_timeout);
            state.waiting.is_none()
        };
        if is_one_too_many {
            return self.end(DisconnectReason::ForcedServerClose, None);
        }
        self.watch_clock();
    }

    /// CONNECT of a client of plain WebSocket was decided on: its reader goes on with what has arrived since.
    pub(in crate::engine) fn decided(&self, verdict: impl FnOnce() -> Verdict) {
        if self.wire.decide(verdict) {
            self.output().wake_reader();
        }
    }

    /// Ends it for all its sockets: DISCONNECT for every namespace, then the end of the connection.
    pub(in crate::engine) fn kick(self: &Arc<Self>) {
        for socket in self.sockets() {
            socket.kick();
        }
        self.end(DisconnectReason::ServerNamespaceDisconnect, None);
    }
}
