//! The ways in which a connection ends. All of them call [`Connection::mark_ended`], which disconnects its sockets.
//!
//! *Last frames* in the table are the unsent frames, then CLOSE on polling, or a close frame on a WebSocket. After an
//! error of Engine.IO (`parse error`, `transport error`, `ping timeout`) a polling client gets CLOSE alone, and only if
//! a poll waits.
//!
//! | what ends it | method | the client gets | disconnect reason |
//! |---|---|---|---|
//! | invalid Engine.IO | `end_for_mistake` | last frames | `parse error`, `transport error` |
//! | invalid Socket.IO | `end_for_mistake` | last frames | `forced close`, `forced server close` |
//! | invalid WebSocket frames | `end_for_violation` | last frames, with a status | `transport error` |
//! | no answer to a ping | `end` | last frames | `ping timeout` |
//! | no namespace joined in time | `end` | last frames | `forced server close` |
//! | the server disconnects the client | `kick` | DISCONNECT, last frames | `server namespace disconnect` |
//! | the server shuts down | `end` | last frames; CLOSE in a payload of its own if it can be recovered | `server shutting down` |
//! | plain WebSocket: `Unregister` | `end_with` | reply, close frame | `client namespace disconnect` |
//! | plain WebSocket: CONNECT refused | `end_with` | close frame with the error code | `forced server close` |
//! | the client sent CLOSE | `close_packet_received` | close frame, or NOOP on polling | `transport close` |
//! | the client sent a close frame | `close_frame_received` | close frame | `transport close` |
//! | TCP lost, or recovery through another connection | `abort` | nothing | `transport close` |
//! | a GET or POST was aborted, or application code panicked | `abort` | nothing | `transport error` |
//! | the shutdown is complete | `abort` | nothing | `server shutting down` |
//! | slow consumer | `drop_slow` | nothing; close frame over plain WebSocket | `slow-consumer` |

use std::{sync::Arc, time::Instant};

use super::Connection;
use crate::engine::{frame::Frame, reason::DisconnectReason, websocket::Violation, wire::close_frame};

impl Connection {
    /// Ends the connection and disconnects its sockets at once. The client still receives its unsent frames, then CLOSE
    /// (polling) or a close frame with `status` (WebSocket). After an error of Engine.IO, a waiting poll receives only
    /// CLOSE.
    pub(in crate::engine) fn end(self: &Arc<Self>, reason: DisconnectReason, status: Option<u16>) {
        self.end_with(reason, None, self.wire.close_frame(reason, status));
    }

    /// Ends the connection like [`Self::end`], with `close` as the close frame. `answer` is sent directly before it.
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
                    // The server may be gone before a second poll. So one poll fetches the unsent frames and CLOSE. But
                    // JavaScript's client would receive events twice that are in one payload with CLOSE: it processes
                    // them after it has disconnected, so that the recovery repeats them.
                    DisconnectReason::ServerShuttingDown if !self.request.is_recoverable => {
                        output.push_last(Some(frames.close.clone()));
                    }
                    reason if reason.is_of_engine() => output.abort_polling(&frames.close),
                    _ => output.close_polling(&frames.noop, &frames.close),
                }
            }
            output.awaits_fetch() && !reason.is_of_engine()
        };
        // Must come before the flush: a client that reads CLOSE closes its transport, and that would become the
        // disconnect reason.
        self.mark_ended(reason, awaits_fetch);
        self.flush();
    }

    /// The client has sent CLOSE. A WebSocket is answered with a close frame, a poll with NOOP.
    pub(super) fn close_packet_received(self: &Arc<Self>) {
        {
            let mut output = self.output();
            if output.is_websocket() {
                output.push_last(Some(close_frame(None)));
            } else if output.is_open() {
                output.push_last(Some(self.shared.frames.noop.clone()));
            }
        }
        // `awaits_fetch`: a poll that the client sent at the same time as CLOSE must still find the NOOP.
        self.mark_ended(DisconnectReason::TransportClose, true);
        self.flush();
    }

    /// The client has sent a close frame. Answers with a close frame and closes the TCP connection (RFC 6455, section
    /// 7.1.1).
    pub(in crate::engine) fn close_frame_received(self: &Arc<Self>, status: Option<u16>) {
        {
            let mut output = self.output();
            if output.is_websocket() {
                output.close_with(&close_frame(status));
            }
        }
        self.mark_ended(DisconnectReason::TransportClose, false);
    }

    /// Ends the connection because the client violated the WebSocket protocol.
    pub(in crate::engine) fn end_for_violation(self: &Arc<Self>, violation: Violation) {
        self.note_mistake(DisconnectReason::TransportError, violation.why());
        self.end(DisconnectReason::TransportError, Some(violation.status()));
    }

    /// Ends the connection at once and discards unsent frames: the TCP connection is gone, or the frames must not be
    /// sent.
    pub(in crate::engine) fn abort(self: &Arc<Self>, reason: DisconnectReason) {
        self.output().close();
        self.mark_ended(reason, false);
    }

    /// Discards the last packets of an ended connection and removes its `sid`, because the polling client will not
    /// fetch them.
    pub(in crate::engine) fn discard_last_packets(&self) {
        self.output().close();
        self.host.remove(&self.sid);
    }

    /// Marks the connection as closed and disconnects its sockets. With `awaits_fetch`, the `sid` stays known, so that
    /// a polling client can fetch the last packets.
    pub(in crate::engine) fn mark_ended(self: &Arc<Self>, reason: DisconnectReason, awaits_fetch: bool) {
        let (sockets, waiting) = {
            let mut state = self.state();
            if std::mem::replace(&mut state.is_closed, true) {
                return;
            }
            state.deadlines.connection_ended(Instant::now(), reason);
            (std::mem::take(&mut state.sockets), state.waiting.take())
        };
        drop(waiting);
        self.received.wake();
        if !awaits_fetch {
            self.host.remove(&self.sid);
        }
        let is_output_closed = self.output().is_closed();
        if is_output_closed {
            self.state().deadlines.unschedule(&self.shared.timers);
        } else {
            self.watch_clock();
        }
        for socket in sockets {
            socket.connection_lost(&self.sid, reason);
        }
    }
}
