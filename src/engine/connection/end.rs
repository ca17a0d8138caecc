//! The end of a connection: with a last packet for its client, or without.

use std::{sync::Arc, time::Instant};

use super::Connection;
use crate::engine::{frame::Frame, reason::DisconnectReason, websocket::Violation, wire::close_frame};

impl Connection {
    /// Ends it with CLOSE or a close frame, which its client gets after what is unsent. Its sockets are disconnected
    /// now.
    pub(in crate::engine) fn end(self: &Arc<Self>, reason: DisconnectReason, status: Option<u16>) {
        self.end_with(reason, None, self.wire.goodbye(reason, status));
    }

    /// Ends it with this close frame and, right before it, an answer.
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
                    // There is no time for more than one poll.
                    DisconnectReason::ServerShuttingDown => output.push_last(Some(frames.close.clone())),
                    reason if reason.is_of_engine() => output.break_polling(&frames.close),
                    _ => output.close_polling(&frames.noop, &frames.close),
                }
            }
            output.awaits_fetch() && !reason.is_of_engine()
        };
        // Before the flush: as soon as the client reads the end it hangs up, which must not become the reason.
        self.lost(reason, awaits_fetch);
        self.flush();
    }

    /// The client has sent CLOSE. If it polls, its poll is answered.
    pub(super) fn hung_up(self: &Arc<Self>) {
        {
            let mut output = self.output();
            if output.is_websocket() {
                output.push_last(Some(close_frame(None)));
            } else if output.is_open() {
                output.push_last(Some(self.shared.frames.noop.clone()));
            }
        }
        // A poll that was sent at the same moment finds its answer too.
        self.lost(DisconnectReason::TransportClose, true);
        self.flush();
    }

    /// The client has sent a close frame: it is answered, and the server hangs up (RFC 6455, section 7.1.1).
    pub(in crate::engine) fn answer_close(self: &Arc<Self>, status: Option<u16>) {
        {
            let mut output = self.output();
            if output.is_websocket() {
                output.hang_up(&close_frame(status));
            }
        }
        self.lost(DisconnectReason::TransportClose, false);
    }

    /// The client broke the rules of WebSocket.
    pub(in crate::engine) fn violated(self: &Arc<Self>, violation: Violation) {
        self.note_mistake(DisconnectReason::TransportError, violation.why());
        self.end(DisconnectReason::TransportError, Some(violation.status()));
    }

    /// Ends it at once: the network connection is gone, or what is unsent must not be sent.
    pub(in crate::engine) fn lose(self: &Arc<Self>, reason: DisconnectReason) {
        self.output().close();
        self.lost(reason, false);
    }

    /// The polling client of an ended connection does not fetch the last packets.
    pub(in crate::engine) fn forget(&self) {
        self.output().close();
        self.host.remove(&self.sid);
    }

    /// Disconnects its sockets. `awaits_fetch`: a polling client may still fetch the last packets, so the `sid` stays
    /// known.
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
