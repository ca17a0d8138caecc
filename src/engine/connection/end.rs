//! How a connection ends: with a goodbye, or without.

use std::{sync::Arc, time::Instant};

use super::Connection;
use crate::engine::{DisconnectReason, frame::Frame, output::Output, websocket::Violation, wire::close_frame};

impl Connection {
    /// Says goodbye to the client, after what waits: its sockets are lost for this reason, now.
    pub(in crate::engine) fn end(self: &Arc<Self>, reason: DisconnectReason, status: Option<u16>) {
        self.end_with(reason, None, self.wire.goodbye(reason, status));
    }

    /// Says goodbye with this close frame, and with something before it; nothing comes between the two.
    pub(in crate::engine) fn end_with(
        self: &Arc<Self>,
        reason: DisconnectReason,
        answer: Option<&Arc<Frame>>,
        close: Arc<Frame>,
    ) {
        let awaits_fetch = {
            let mut output = self.output();
            if output.is_open() {
                if let Some(answer) = answer {
                    output.push(answer, false, usize::MAX);
                }
                match reason {
                    _ if output.is_websocket() => output.push_last(Some(close)),
                    // There is no time for more than one poll.
                    DisconnectReason::ServerShuttingDown => output.push_last(Some(self.engine.close.clone())),
                    reason if reason.is_of_engine() => output.break_polling(&self.engine.close),
                    _ => output.close_polling(&self.engine.noop, &self.engine.close),
                }
            }
            output.awaits_fetch() && !reason.is_of_engine()
        };
        // First, so that it is this reason that counts and not that the client hangs up on reading it.
        self.lost(reason, awaits_fetch);
        self.flush();
    }

    /// The client said goodbye. If it polls, it is let go.
    pub(super) fn hung_up(self: &Arc<Self>) {
        {
            let mut output = self.output();
            if output.is_websocket() {
                output.push_last(Some(close_frame(None)));
            } else if output.is_open() {
                output.push_last(Some(self.engine.noop.clone()));
            }
        }
        // A poll that was sent at the same moment finds its answer too.
        self.lost(DisconnectReason::TransportClose, true);
        self.flush();
    }

    /// The client closed its WebSocket: it is answered, and the server hangs up (RFC 6455, section 7.1.1).
    pub(in crate::engine) fn answer_close(self: &Arc<Self>, status: Option<u16>) {
        {
            let mut output = self.output();
            if output.is_websocket() {
                output.hang_up(&close_frame(status));
            }
        }
        self.lost(DisconnectReason::TransportClose, false);
    }

    /// The peer broke the rules of WebSocket.
    pub(in crate::engine) fn violated(self: &Arc<Self>, violation: Violation) {
        self.note_mistake(DisconnectReason::TransportError, violation.why());
        self.end(DisconnectReason::TransportError, Some(violation.status()));
    }

    /// The connection is gone, or must go at once: what waits is forgotten.
    pub(in crate::engine) fn lose(self: &Arc<Self>, reason: DisconnectReason) {
        self.output().close();
        self.lost(reason, false);
    }

    /// What was said last is not fetched.
    pub(in crate::engine) fn forget(&self) {
        self.output().close();
        self.engine.remove_connection(&self.sid);
    }

    /// Closes the output of a client that reads too slowly. A client that is told so gets that behind the frame that has
    /// left in part.
    pub(super) fn close_slow(&self, output: &mut Output) {
        match self.wire.slow_goodbye() {
            None => output.close(),
            Some(close) => output.cut_short(close),
        }
    }

    /// Disconnects a client that read too slowly, and whose output is closed.
    pub(in crate::engine) fn drop_slow(self: &Arc<Self>) {
        self.lost(DisconnectReason::SlowConsumer, false);
    }

    /// Disconnects a client for which too much is held where there is not enough memory for all.
    pub(in crate::engine) fn drop_greedy(self: &Arc<Self>) {
        self.close_slow(&mut self.output());
        self.drop_slow();
        self.flush();
    }

    /// With `awaits_fetch`, a polling client may still fetch what was said last.
    fn lost(self: &Arc<Self>, reason: DisconnectReason, awaits_fetch: bool) {
        let sockets = {
            let mut state = self.state();
            if std::mem::replace(&mut state.is_closed, true) {
                return;
            }
            state.waiting = None;
            state.beat.leave(Instant::now(), reason);
            std::mem::take(&mut state.sockets)
        };
        self.received.wake();
        if !awaits_fetch {
            self.engine.remove_connection(&self.sid);
        }
        if self.output().is_closed() {
            self.state().beat.unschedule(&self.engine.timers);
        } else {
            self.watch_clock();
        }
        for socket in sockets {
            socket.disconnected(self, reason);
        }
    }
}
