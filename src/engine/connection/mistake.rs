//! The end of a connection whose client broke the protocol, and the log line about it.

use std::{ops::ControlFlow, sync::Arc};

use super::Connection;
use crate::engine::reason::DisconnectReason;

impl Connection {
    /// Ends it for what its client sent.
    pub(in crate::engine) fn refuse(self: &Arc<Self>, reason: DisconnectReason, why: &str) -> ControlFlow<()> {
        self.end_for_mistake(reason, why);
        ControlFlow::Break(())
    }

    /// Ends it for what its client sent.
    pub(in crate::engine) fn end_for_mistake(self: &Arc<Self>, reason: DisconnectReason, why: &str) {
        self.note_mistake(reason, why);
        self.end(reason, None);
    }

    /// Writes a log line about what the client sent, unless there were too many of them in this second.
    pub(in crate::engine) fn note_mistake(&self, reason: DisconnectReason, why: &str) {
        if self.shared.mistake_lines.check().is_err() {
            return;
        }
        let socket = self.sockets().first().map(|socket| tracing::field::display(socket.id()));
        let address = self.handshake.address.map(tracing::field::display);
        tracing::info!(socket, address, %reason, why, "connection closed for what it sent");
    }
}
