//! What is sent to a socket's client.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Phase, Socket};
use crate::engine::{
    application::Answer, flush::PendingFlush, frame::Frame, output::Pushed, recovery_log::RecoveryLog,
    version::Protocol,
};

impl Socket {
    /// Puts an event, or several that were joined, into the connection's output and into the recovery log. False where
    /// the client will not get it.
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
                    Pushed::Queued | Pushed::Schedule => true,
                    Pushed::Skipped => return false,
                    Pushed::Gone | Pushed::Full if is_volatile => return false,
                    // The connection has ended, and this socket is about to learn of it: the event goes to the log.
                    Pushed::Gone | Pushed::Full => false,
                };
                if self.pid.is_some() && frame.number() > 0 {
                    self.log(&mut state.log, frame);
                }
                is_sent
            }
            Phase::Away { .. } if !is_volatile && frame.number() > 0 => {
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

    /// Answers an event: the JSON array of the acknowledgement's arguments, and its attachments. False where the client
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
        matches!(connection.push(&frame, false, pending), Pushed::Queued | Pushed::Schedule)
    }

    /// Sends an event that asks for an acknowledgement of this id. The receiver fails when the client goes. `None`
    /// where the client will not get the event.
    pub(crate) fn ask(
        &self,
        frame: &Arc<Frame>,
        id: u64,
        pending: &mut PendingFlush<'_>,
    ) -> Option<oneshot::Receiver<Answer>> {
        let mut state = self.state();
        let Phase::Connected(connection) = &state.phase else { return None };
        if !matches!(connection.push(frame, false, pending), Pushed::Queued | Pushed::Schedule) {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        state.asked.insert(id, answer);
        Some(answered)
    }

    /// Stops waiting for an acknowledgement.
    pub(crate) fn forget(&self, id: u64) {
        self.state().asked.remove(&id);
    }
}
