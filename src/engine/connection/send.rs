//! Sends frames through a connection.

use std::sync::Arc;

use super::Connection;
use crate::engine::{
    flush::PendingFlush,
    flushers::Flush,
    frame::Frame,
    output::{FlushResult, PushResult},
    plain::state::ConnectDecision,
    reason::DisconnectReason,
    slow_consumers,
    version::Protocol,
};

impl Connection {
    /// Appends a frame of one of the connection's sockets to the output.
    pub(in crate::engine) fn push(
        self: &Arc<Self>,
        frame: &Arc<Frame>,
        is_volatile: bool,
        pending: &mut PendingFlush<'_>,
    ) -> PushResult {
        match self.wire.render(frame, &self.shared.settings.plain) {
            Some(frame) => self.enqueue(&frame, is_volatile, pending),
            None => PushResult::Skipped,
        }
    }

    /// Appends a frame that belongs to no socket to the output, and schedules a flush.
    pub(in crate::engine) fn send(self: &Arc<Self>, frame: &Arc<Frame>) {
        self.enqueue(frame, false, &mut PendingFlush::new(&self.shared.flushers));
    }

    fn enqueue(self: &Arc<Self>, frame: &Arc<Frame>, is_volatile: bool, pending: &mut PendingFlush<'_>) -> PushResult {
        let pushed = slow_consumers::push(self, frame, is_volatile);
        match pushed {
            PushResult::Schedule => pending.add(self),
            PushResult::Full => pending.add_slow(self),
            PushResult::Queued | PushResult::Skipped | PushResult::Gone => {}
        }
        pushed
    }

    /// Answers CONNECT with CONNECT_ERROR. `data` is JSON.
    pub(in crate::engine) fn refuse_connect(self: &Arc<Self>, namespace: &str, message: &str, data: Option<&str>) {
        if self.protocol == Protocol::Plain {
            return self.connect_decided(|| ConnectDecision::refused(message, data));
        }
        let message = serde_json::to_string(message).expect("every string can be encoded as JSON");
        let json = match (self.protocol, data) {
            // For a client of Engine.IO 3 the whole payload is the message.
            (Protocol::V3, _) => message,
            (_, None) => format!(r#"{{"message":{message}}}"#),
            (_, Some(data)) => format!(r#"{{"message":{message},"data":{data}}}"#),
        };
        self.send(&Frame::connect_error(namespace, &json));
    }

    /// Writes as much of the output as the kernel accepts.
    pub(in crate::engine) fn flush(self: &Arc<Self>) {
        let flushed = self.output().flush();
        if flushed == FlushResult::Failed {
            self.abort(DisconnectReason::TransportClose);
        }
    }
}

impl Flush for Connection {
    fn flush(self: Arc<Self>) {
        Self::flush(&self);
    }
}
