//! Sends events and acknowledgements to a socket's client.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Phase, Socket};
use crate::engine::{
    application::AckArguments, flush::PendingFlush, frame::Frame, output::PushResult, recovery_log::RecoveryLog,
    version::Protocol,
};

impl Socket {
    /// Appends an event, or several in a joined frame, to the connection's output and to the recovery log. False if the
    /// client will not get it.
    pub(crate) fn deliver(&self, frame: &Arc<Frame>, is_volatile: bool, pending: &mut PendingFlush<'_>) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        let frame = match (self.protocol, &self.pid) {
            (Protocol::V4, None) => frame.without_offset(),
            _ => frame,
        };
        match &state.phase {
            Phase::Connected(connection) => {
                let is_sent = match connection.push(frame, is_volatile, pending) {
                    PushResult::Queued | PushResult::Schedule => true,
                    PushResult::Skipped => return false,
                    PushResult::Gone | PushResult::Full if is_volatile => return false,
                    // The connection has ended and will soon notify this socket. The event is kept in the recovery log.
                    PushResult::Gone | PushResult::Full => false,
                };
                if self.pid.is_some() && frame.number() > 0 {
                    self.log(&mut state.log, frame);
                }
                is_sent
            }
            Phase::Away { .. } if !is_volatile && !frame.is_transient() && frame.number() > 0 => {
                self.log(&mut state.log, frame);
                true
            }
            Phase::Connecting(_) | Phase::Away { .. } | Phase::Closed => false,
        }
    }

    fn log(&self, log: &mut RecoveryLog, frame: &Arc<Frame>) {
        let recovery = &self.shared.settings.recovery;
        log.push(frame, recovery.events, recovery.bytes, &self.shared.account);
    }

    /// Acknowledges an event of the client. `json` is the array of the acknowledgement's arguments. False if the client
    /// will not get it.
    pub(crate) fn acknowledge(
        &self,
        id: u64,
        json: &str,
        attachments: Vec<Bytes>,
        pending: &mut PendingFlush<'_>,
    ) -> bool {
        let frame = Frame::ack(&self.namespace, id, json, attachments);
        let state = self.state();
        let Phase::Connected(connection) = &state.phase else { return false };
        matches!(connection.push(&frame, false, pending), PushResult::Queued | PushResult::Schedule)
    }

    /// Sends an event that requests an acknowledgement with this id. The receiver fails when the client disconnects.
    /// `None` if the client will not get the event.
    pub(crate) fn emit_with_ack(
        &self,
        frame: &Arc<Frame>,
        id: u64,
        pending: &mut PendingFlush<'_>,
    ) -> Option<oneshot::Receiver<AckArguments>> {
        let mut state = self.state();
        let Phase::Connected(connection) = &state.phase else { return None };
        if !matches!(connection.push(frame, false, pending), PushResult::Queued | PushResult::Schedule) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        state.pending_acks.insert(id, sender);
        Some(receiver)
    }

    /// Stops waiting for an acknowledgement, for example after a timeout.
    pub(crate) fn cancel_ack(&self, id: u64) {
        self.state().pending_acks.remove(&id);
    }
}
