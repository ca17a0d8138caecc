//! Whether a connection's next packet may be processed: its rate limit must allow it, fewer than four of its CONNECTs
//! may be undecided, and its input must be within its memory bounds. Otherwise the server stops reading from the
//! connection, so that TCP's flow control makes the client wait.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::time::Sleep;

use super::Connection;
use crate::engine::{application::IncomingEvent, memory::ReceivedCharge};

/// Number of packets of one connection that are processed before the task yields.
const PACKETS_PER_TURN: u32 = 512;
/// Maximum number of undecided CONNECTs of one connection. At the maximum the server stops reading from the connection.
const UNDECIDED_MAX: usize = 4;

impl Connection {
    /// Builds an event from a received packet. Takes a token of the rate limit, and charges the event's memory until
    /// the event is answered.
    pub(in crate::engine) fn incoming_event<'a>(
        self: &Arc<Self>,
        json: &'a str,
        attachments: Vec<Bytes>,
        id: Option<u64>,
    ) -> IncomingEvent<'a> {
        let is_within_rate = self.rate.take(&self.shared.limits);
        let bytes = json.len() + attachments.iter().map(Bytes::len).sum::<usize>();
        let charge = ReceivedCharge::event(&self.received, bytes);
        IncomingEvent { json, attachments, id, charge, is_within_rate }
    }

    /// Takes a token of the rate limit for a packet that is not an event. Without a free token, the next packet waits
    /// for one.
    pub(in crate::engine) fn pay(&self) {
        self.rate.take_or_owe(&self.shared.limits);
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        ready!(self.received.poll_room(cx));
        if self.undecided_connects.load(SeqCst) < UNDECIDED_MAX {
            return Poll::Ready(());
        }
        self.received.wait(cx);
        // Checked again: a CONNECT that was decided between the check and the wait woke no task.
        if self.undecided_connects.load(SeqCst) < UNDECIDED_MAX { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Counts one undecided CONNECT of a connection until it is dropped.
pub(in crate::engine) struct UndecidedConnect(Arc<Connection>);

impl UndecidedConnect {
    pub(in crate::engine) fn new(connection: &Arc<Connection>) -> Self {
        connection.undecided_connects.fetch_add(1, SeqCst);
        Self(connection.clone())
    }
}

impl Drop for UndecidedConnect {
    fn drop(&mut self) {
        self.0.undecided_connects.fetch_sub(1, SeqCst);
        self.0.received.wake();
    }
}

/// The state of one task that reads a connection's packets.
#[derive(Default)]
pub(in crate::engine) struct Intake {
    /// Packets that were processed since the task last yielded.
    taken: u32,
    /// Whether reading is stopped, which suspends the ping timeout.
    is_stalled: bool,
    /// The timer until the next token of the rate limit.
    token: Option<Pin<Box<Sleep>>>,
}

impl Intake {
    /// Called after each processed packet. False if the caller must wait for [`Self::poll_ready`] before the next
    /// packet.
    pub(in crate::engine) fn packet_processed(&mut self, connection: &Connection) -> bool {
        self.taken += 1;
        self.taken < PACKETS_PER_TURN
            && !connection.rate.owes()
            && connection.undecided_connects.load(Relaxed) < UNDECIDED_MAX
            && connection.received.has_room()
    }

    /// Waits until the next packet may be processed, or the connection has ended.
    pub(in crate::engine) async fn ready(&mut self, connection: &Arc<Connection>) {
        poll_fn(|cx| if connection.is_closed() { Poll::Ready(()) } else { self.poll_ready(connection, cx) }).await;
    }

    /// Ready when the next packet may be processed. Until then the connection's ping timeout is suspended.
    pub(in crate::engine) fn poll_ready(&mut self, connection: &Arc<Connection>, cx: &mut Context<'_>) -> Poll<()> {
        if self.taken >= PACKETS_PER_TURN {
            self.taken = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let is_ready = self.poll_token(connection, cx).is_ready() && connection.poll_room(cx).is_ready();
        if self.is_stalled == is_ready {
            self.is_stalled = !is_ready;
            connection.stall(self.is_stalled);
        }
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    }

    fn poll_token(&mut self, connection: &Connection, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(token) = &mut self.token {
                ready!(token.as_mut().poll(cx));
                self.token = None;
            }
            match connection.rate.pay(&connection.shared.limits) {
                None => return Poll::Ready(()),
                Some(wait) => self.token = Some(Box::pin(tokio::time::sleep(wait))),
            }
        }
    }
}
