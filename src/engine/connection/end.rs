//! Ends a connection, with or without a last packet for its client.

use std::{sync::Arc, time::Instant};

use super::Connection;
use crate::engine::{frame::Frame, reason::DisconnectReason, websocket::Violation, wire::close_frame};

impl Connection {
    /// Ends the connection and disconnects its sockets at once. The client still receives its unsent frames, then CLOSE
    /// (polling) or a close frame (WebSocket). After an error of Engine.IO, a waiting poll receives only CLOSE.
    pub(in crate::engine) fn end(self: &Arc<Self>, reason: DisconnectReason, status: Option<u16>) {
        self.end_with(reason, None, self.wire.goodbye(reason, status));
    }

    /// Ends the connection like [`Self::end`], with this close frame and, right before it, `answer`.
    pub(in crate::engine) fn end_with(
        self: &Arc<Self>,
        reason: DisconnectReason,
        answer: Option<&Arc<Frame>>,
        close: Arc<Frame>,
    ) {
        let frames = &self.shared.frames;
        let awaits_fetch = {
            let mut output = self.output();
            if output.is_open() {
                if let Some(answer) = answer {
                    output.push(answer, false, usize::MAX);
                }
                match reason {
                    _ if output.is_websocket() => output.push_last(Some(close)),
                    // A shutdown leaves no time for a second poll, so CLOSE is in the next one.
                    DisconnectReason::ServerShuttingDown => output.push_last(Some(frames.close.clone())),
                    reason if reason.is_of_engine() => output.break_polling(&frames.close),
                    _ => output.close_polling(&frames.noop, &frames.close),
                }
            }
            output.awaits_fetch() && !reason.is_of_engine()
        };
        // Before the flush: a client that reads CLOSE closes its transport, which would become the disconnect reason.
        self.lost(reason, awaits_fetch);
        self.flush();
    }

    /// The client has sent CLOSE. A WebSocket is answered with a close frame, a poll with NOOP.
    pub(super) fn hung_up(self: &Arc<Self>) {
        {
            let mut output = self.output();
            if output.is_websocket() {
                output.push_last(Some(close_frame(None)));
            } else if output.is_open() {
                output.push_last(Some(self.shared.frames.noop.clone()));
            }
        }
        // True: a poll that the client sent at the same time as CLOSE must still find the NOOP.
        self.lost(DisconnectReason::TransportClose, true);
        self.flush();
    }

    /// The client has sent a close frame. Answers with a close frame and closes the TCP connection (RFC 6455, section
    /// 7.1.1).
    pub(in crate::engine) fn answer_close(self: &Arc<Self>, status: Option<u16>) {
        {
            let mut output = self.output();
            if output.is_websocket() {
                output.hang_up(&close_frame(status));
            }
        }
        self.lost(DisconnectReason::TransportClose, false);
    }

    /// Ends the connection because the client violated the WebSocket protocol.
    pub(in crate::engine) fn violated(self: &Arc<Self>, violation: Violation) {
        self.note_mistake(DisconnectReason::TransportError, violation.why());
        self.end(DisconnectReason::TransportError, Some(violation.status()));
    }

    /// Ends the connection at once and discards unsent frames: the TCP connection is gone, or the frames must not be
    /// sent.
    pub(in crate::engine) fn lose(self: &Arc<Self>, reason: DisconnectReason) {
        self.output().close();
        self.lost(reason, false);
    }

    /// Discards the last packets of an ended connection, and removes its `sid`: the polling client will not fetch them.
    pub(in crate::engine) fn forget(&self) {
        self.output().close();
        self.host.remove(&self.sid);
    }

    /// Marks the connection as closed and disconnects its sockets. With `awaits_fetch`, the `sid` stays known, so that
    /// a polling client can fetch the last packets.
    pub(in crate::engine) fn lost(self: &Arc<Self>, reason: DisconnectReason, awaits_fetch: bool) {
        let (sockets, waiting) = {
            let mut state = self.state();
            if std::mem::replace(&mut state.is_closed, true) {
                return;
            }
            state.beat.leave(Instant::now(), reason);
            (std::mem::take(&mut state.sockets), state.waiting.take())
        };
        drop(waiting);
        self.received.wake();
        if !awaits_fetch {
            self.host.remove(&self.sid);
        }
        let is_output_closed = self.output().is_closed();
        if is_output_closed {
            self.state().beat.unschedule(&self.shared.timers);
        } else {
            self.watch_clock();
        }
        for socket in sockets {
            socket.connection_lost(&self.sid, reason);
        }
    }
}
