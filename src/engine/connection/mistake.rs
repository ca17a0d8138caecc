//! Ends a connection whose client violated the protocol, and logs the violation.

use std::{ops::ControlFlow, sync::Arc};

use super::Connection;
use crate::engine::reason::DisconnectReason;

impl Connection {
    /// [`Self::end_for_mistake`], for callers that return `ControlFlow`.
    pub(in crate::engine) fn break_for_mistake(
        self: &Arc<Self>,
        reason: DisconnectReason,
        why: &str,
    ) -> ControlFlow<()> {
        self.end_for_mistake(reason, why);
        ControlFlow::Break(())
    }

    /// Ends the connection because its client violated the protocol. `why` describes the violation, for the log.
    pub(in crate::engine) fn end_for_mistake(self: &Arc<Self>, reason: DisconnectReason, why: &str) {
        self.note_mistake(reason, why);
        self.end(reason, None);
    }

    /// Logs how the client violated the protocol, within the rate limit of such log lines.
    pub(in crate::engine) fn note_mistake(&self, reason: DisconnectReason, why: &str) {
        if self.shared.mistake_lines.check().is_err() {
            return;
        }
        let socket = self.sockets().first().map(|socket| tracing::field::display(socket.id()));
        let address = self.request.head.address().map(tracing::field::display);
        tracing::info!(socket, address, %reason, why, "connection closed because the client violated the protocol");
    }
}
