//! Frames that leave through a connection.

use std::sync::Arc;

use super::Connection;
use crate::engine::{
    flush::PendingFlush,
    flushers::Flush,
    frame::Frame,
    output::{Flushed, Pushed},
    plain::state::Verdict,
    reason::DisconnectReason,
    slow_consumers,
    version::Protocol,
};

impl Connection {
    /// Puts a frame of one of its sockets into the output.
    pub(in crate::engine) fn push(
        self: &Arc<Self>,
        frame: &Arc<Frame>,
        is_volatile: bool,
        pending: &mut PendingFlush<'_>,
    ) -> Pushed {
        match self.wire.render(frame, &self.shared.settings.plain) {
            Some(frame) => self.enqueue(&frame, is_volatile, pending),
            None => Pushed::Skipped,
        }
    }

    /// Puts a frame into the output that belongs to none of its sockets, and has it flushed.
    pub(in crate::engine) fn send(self: &Arc<Self>, frame: &Arc<Frame>) {
        self.enqueue(frame, false, &mut PendingFlush::new(&self.shared.flushers));
    }

    fn enqueue(self: &Arc<Self>, frame: &Arc<Frame>, is_volatile: bool, pending: &mut PendingFlush<'_>) -> Pushed {
        let pushed = slow_consumers::push(self, frame, is_volatile);
        match pushed {
            Pushed::Schedule => pending.add(self),
            Pushed::Full => pending.add_slow(self),
            Pushed::Queued | Pushed::Skipped | Pushed::Gone => {}
        }
        pushed
    }

    /// Answers CONNECT with CONNECT_ERROR, with data as JSON, if there is any.
    pub(in crate::engine) fn refuse_connect(self: &Arc<Self>, namespace: &str, message: &str, data: Option<&str>) {
        if self.protocol == Protocol::Plain {
            return self.decided(|| Verdict::refused(message, data));
        }
        let message = serde_json::to_string(message).expect("text is JSON");
        let json = match (self.protocol, data) {
            // Clients of Engine.IO 3 take the whole payload for the message.
            (Protocol::V3, _) => message,
            (_, None) => format!(r#"{{"message":{message}}}"#),
            (_, Some(data)) => format!(r#"{{"message":{message},"data":{data}}}"#),
        };
        self.send(&Frame::connect_error(namespace, &json));
    }

    /// Writes as much of the output as the kernel takes.
    pub(in crate::engine) fn flush(self: &Arc<Self>) {
        let flushed = self.output().flush();
        if flushed == Flushed::Failed {
            self.lose(DisconnectReason::TransportClose);
        }
    }
}

impl Flush for Connection {
    fn flush(self: Arc<Self>) {
        Self::flush(&self);
    }
}
