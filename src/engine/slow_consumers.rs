//! Back-pressure of output: what happens to a client that reads more slowly than it is sent to. The server never waits
//! for such a client and never skips an event for it: it drops the connection, for the reason `slow-consumer`, and the
//! client comes back and asks for what it has missed.
//!
//! A connection is a slow consumer when one of these holds. The first two are checked here, as a frame is pushed; the
//! third by the relief task, the fourth by the heartbeat:
//!
//! 1. **It is above its own bound.** More than `limits.queued-bytes` would be unsent, also after an attempt to write. An
//!    empty queue takes any frame. (A volatile event is skipped instead, as soon as the client is not ready for it.)
//! 2. **It is above its equal share where all have too much.** The kernel takes no more from it (or it does not poll),
//!    all output together is above `limits.queued-bytes-total` or memory is scarce, and its unsent bytes are above the
//!    bound on all output divided by the number of connections ([`Account::equal_share_of_output`]).
//! 3. **It holds most where memory stays scarce**: [`memory_relief`](super::memory_relief) drops the largest connections.
//! 4. **It was not read from for too long** ([`STALL_MAX`](super::heartbeat::STALL_MAX)), since what it sends is not
//!    taken in fast enough.
//!
//! The order in which a drop happens: the output is cleared and closed at once, under its lock, so that nothing more is
//! held for the client and nothing is sent after the hole. Its sockets learn of it later, when the sender's
//! [`PendingFlush`](super::flush::PendingFlush) is dropped, since a disconnect takes locks that a sender holds. All other
//! receivers are scheduled for flushing before that.
//!
//! A client of plain WebSocket gets a close frame with the status 1013 and the reason `slow-consumer`; before it, the
//! rest of a frame that was sent in part.

use std::sync::Arc;

use super::{
    connection::Connection,
    frame::Frame,
    memory::Account,
    output::{Flushed, Output, Pushed},
    reason::DisconnectReason,
};

/// Pushes a frame to a connection's output. Where that finds a slow consumer, its output is closed and the result is
/// [`Pushed::Full`]: then the caller has the connection dropped, by
/// [`PendingFlush::add_slow`](super::flush::PendingFlush::add_slow).
pub(super) fn push(connection: &Connection, frame: &Arc<Frame>, is_volatile: bool) -> Pushed {
    let shared = &connection.shared;
    let most = shared.settings.queued_bytes.get();
    let mut output = connection.output();
    let mut pushed = output.push(frame, is_volatile, most);
    if pushed == Pushed::Full && !output.is_stuck() {
        // Nothing was written since this turn of the scheduler began: the client may well be fast.
        if output.flush() == Flushed::Done {
            pushed = output.push(frame, is_volatile, most);
        }
    }
    if pushed == Pushed::Full || is_above_share(&output, &shared.account) {
        close(connection, &mut output);
        return Pushed::Full;
    }
    pushed
}

/// Whether a stuck client holds more than its equal share where all output together is too much.
fn is_above_share(output: &Output, account: &Account) -> bool {
    output.is_stuck() && account.is_output_excessive() && output.bytes() > account.equal_share_of_output()
}

/// Forgets what is unsent.
fn close(connection: &Connection, output: &mut Output) {
    match connection.wire.slow_goodbye() {
        None => output.close(),
        Some(close) => output.cut_short(close),
    }
}

/// Slow consumers whose outputs are closed already.
#[derive(Default)]
pub(super) struct SlowConsumers(Vec<Arc<Connection>>);

impl SlowConsumers {
    pub(super) fn add(&mut self, connection: &Arc<Connection>) {
        self.0.push(connection.clone());
    }

    /// Ends them: their sockets are disconnected.
    pub(super) fn drop_all(&mut self) {
        for connection in self.0.drain(..) {
            connection.lose_slow();
        }
    }
}

impl Connection {
    /// Drops it as a slow consumer, whatever is unsent.
    pub(super) fn drop_slow(self: &Arc<Self>) {
        close(self, &mut self.output());
        self.lose_slow();
        self.flush();
    }

    /// Ends a slow consumer whose output is closed, but for the close frame of plain WebSocket, which is yet to be sent.
    fn lose_slow(self: &Arc<Self>) {
        self.lost(DisconnectReason::SlowConsumer, false);
    }
}
