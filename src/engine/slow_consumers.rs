//! Back-pressure of output: drops connections whose clients read too slowly. The server never waits for such a client
//! and never skips an event for it. It drops the connection with the reason `slow-consumer`. The client then reconnects
//! and requests the messages that it missed.
//!
//! A connection is a slow consumer if one of these holds. The first two are checked here, when a frame is pushed, the
//! third by the relief task, the fourth by the connection's deadlines:
//!
//! 1. **It is above its own bound.** Even after an attempt to write, more than `limits.queued-bytes` would be unsent.
//!    An empty queue accepts any frame. (A volatile event is skipped instead, as soon as the client is not ready for
//!    it.)
//! 2. **It is above its equal share while all output together is too much.** Its send buffer is full (or it does not
//!    poll), all output is above `limits.queued-bytes-total` or memory is scarce, and its unsent bytes are above the
//!    bound on all output divided by the number of connections ([`Account::equal_share_of_output`]).
//! 3. **It is among the largest while memory stays scarce**: [`memory_relief`](super::memory_relief) drops these.
//! 4. **The server has not read from it for too long** ([`STALL_MAX`](super::connection::deadlines::STALL_MAX)),
//!    because its events are not processed fast enough.
//!
//! A drop has two steps. First the output is cleared and closed, under its lock, so that no memory is held for the
//! client and no later event is sent after a gap. The client's sockets are disconnected later, when the sender's
//! [`PendingFlush`](super::flush::PendingFlush) is dropped, because a disconnect takes locks that a sender holds. All
//! other receivers are scheduled for flushing before that.
//!
//! A client of plain WebSocket gets a close frame with the status 1013 and the reason `slow-consumer`, after the rest
//! of a partly written frame.

use std::sync::Arc;

use super::{
    connection::Connection,
    frame::Frame,
    memory::Account,
    output::{FlushResult, Output, PushResult},
    reason::DisconnectReason,
};

/// Pushes a frame to a connection's output. If the connection is a slow consumer, closes the output and returns
/// [`PushResult::Full`]. The caller then drops the connection with
/// [`PendingFlush::add_slow`](super::flush::PendingFlush::add_slow).
pub(super) fn push(connection: &Connection, frame: &Arc<Frame>, is_volatile: bool) -> PushResult {
    let shared = &connection.shared;
    let most = shared.settings.queued_bytes.get();
    let mut output = connection.output();
    let mut pushed = output.push(frame, is_volatile, most);
    if pushed == PushResult::Full && !output.is_stuck() {
        // The queued frames may only be waiting for the next flush: the client itself need not be slow.
        if output.flush() == FlushResult::Done {
            pushed = output.push(frame, is_volatile, most);
        }
    }
    if pushed == PushResult::Full || is_above_share(&output, &shared.account) {
        close(connection, &mut output);
        return PushResult::Full;
    }
    pushed
}

/// Whether a client that is not ready holds more than its equal share while all output together is too much.
fn is_above_share(output: &Output, account: &Account) -> bool {
    output.is_stuck() && account.is_output_excessive() && output.bytes() > account.equal_share_of_output()
}

/// Closes the output of a slow consumer, and discards its unsent frames.
fn close(connection: &Connection, output: &mut Output) {
    match connection.wire.slow_consumer_close() {
        None => output.close(),
        Some(close) => output.discard_and_close_with(close),
    }
}

/// Slow consumers whose outputs are closed, and whose sockets are not disconnected yet.
#[derive(Default)]
pub(super) struct SlowConsumers(Vec<Arc<Connection>>);

impl SlowConsumers {
    pub(super) fn add(&mut self, connection: &Arc<Connection>) {
        self.0.push(connection.clone());
    }

    /// Ends the connections and disconnects their sockets.
    pub(super) fn drop_all(&mut self) {
        for connection in self.0.drain(..) {
            connection.end_slow();
        }
    }
}

impl Connection {
    /// Drops the connection as a slow consumer, whether or not its queue is full.
    pub(super) fn drop_slow(self: &Arc<Self>) {
        close(self, &mut self.output());
        self.end_slow();
        self.flush();
    }

    /// Ends a slow consumer whose output is closed. Its queue holds at most a close frame, for plain WebSocket.
    fn end_slow(self: &Arc<Self>) {
        self.mark_ended(DisconnectReason::SlowConsumer, false);
    }
}
