//! Whether a connection's next packet may be processed: its rate limit must allow it, few of its CONNECTs may be
//! undecided, and there must be memory for what it holds. Where not, the connection is not read from, so that TCP makes
//! its client wait.

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
use crate::engine::{application::Arrival, memory::ReceivedCharge};

/// How many packets of one connection are processed before other tasks have a turn.
const PACKETS_PER_TURN: u32 = 512;
/// How many CONNECTs of one connection may be undecided. At that many it is not read from.
const ADMISSIONS: usize = 4;

impl Connection {
    /// An event as it arrived. It takes a token of the rate limit, and is charged for until it is answered.
    pub(in crate::engine) fn arrival<'a>(
        self: &Arc<Self>,
        json: &'a str,
        attachments: Vec<Bytes>,
        id: Option<u64>,
    ) -> Arrival<'a> {
        let is_within_rate = self.rate.take(&self.shared.limits);
        let bytes = json.len() + attachments.iter().map(Bytes::len).sum::<usize>();
        let charge = ReceivedCharge::event(&self.received, bytes);
        Arrival { json, attachments, id, charge, is_within_rate }
    }

    /// Takes a token of the rate limit for a packet that is no event. Where there is none, the next packet waits for
    /// it.
    pub(in crate::engine) fn pay(&self) {
        self.rate.take_or_owe(&self.shared.limits);
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        ready!(self.received.poll_room(cx));
        if self.admissions.load(SeqCst) < ADMISSIONS {
            return Poll::Ready(());
        }
        self.received.wait(cx);
        // Checked again: a CONNECT that was decided between the check and the wait woke nobody.
        if self.admissions.load(SeqCst) < ADMISSIONS { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// An undecided CONNECT, until it is dropped.
pub(in crate::engine) struct Admission(Arc<Connection>);

impl Admission {
    pub(in crate::engine) fn new(connection: &Arc<Connection>) -> Self {
        connection.admissions.fetch_add(1, SeqCst);
        Self(connection.clone())
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.admissions.fetch_sub(1, SeqCst);
        self.0.received.wake();
    }
}

/// The state of one task that reads a connection's packets.
#[derive(Default)]
pub(in crate::engine) struct Intake {
    /// Packets that were processed since other tasks had a turn.
    taken: u32,
    is_stalled: bool,
    /// Runs until the next token of the rate limit.
    token: Option<Pin<Box<Sleep>>>,
}

impl Intake {
    /// A packet was processed. False where the next one must wait for [`Self::poll_ready`].
    pub(in crate::engine) fn took(&mut self, connection: &Connection) -> bool {
        self.taken += 1;
        self.taken < PACKETS_PER_TURN
            && !connection.rate.owes()
            && connection.admissions.load(Relaxed) < ADMISSIONS
            && connection.received.has_room()
    }

    /// Waits until the next packet may be processed, or the connection has ended.
    pub(in crate::engine) async fn ready(&mut self, connection: &Arc<Connection>) {
        poll_fn(|cx| if connection.is_closed() { Poll::Ready(()) } else { self.poll_ready(connection, cx) }).await;
    }

    /// Ready when the next packet may be processed. Until then the connection's ping deadline stands still.
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
