//! Whether a connection's next packet may be taken in: there must be a token in its bucket, few undecided CONNECTs,
//! and room for what it holds. Where there is not, the connection is not read from, and TCP makes its client wait.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use governor::DefaultDirectRateLimiter;
use tokio::time::Sleep;

use super::Connection;
use crate::{
    engine::{
        pressure::{ADMISSIONS, PACKETS_PER_TURN, ReceivedCharge},
        socket::Arrival,
    },
    limits,
};

impl Connection {
    fn bucket(&self) -> Option<&DefaultDirectRateLimiter> {
        self.bucket.get_or_init(|| self.engine.limits.bucket()).as_ref()
    }

    /// An event has arrived: it takes a token, and is charged for until it is answered.
    pub(in crate::engine) fn arrival<'a>(
        self: &Arc<Self>,
        json: &'a str,
        attachments: Vec<Bytes>,
        id: Option<u64>,
    ) -> Arrival<'a> {
        let is_within_rate = self.has_token();
        let bytes = json.len() + attachments.iter().map(Bytes::len).sum::<usize>();
        let charge = ReceivedCharge::event(&self.received, bytes);
        Arrival { json, attachments, id, charge, is_within_rate }
    }

    /// A packet that is no event has arrived: it takes a token. Where there is none, the next packet waits for it.
    pub(in crate::engine) fn pay(&self) {
        // The first one is free, so that after CONNECT there are as many tokens as the limit says.
        if self.bucket.get().is_none() {
            self.bucket();
            return;
        }
        if !self.has_token() {
            self.owes.store(true, Relaxed);
        }
    }

    /// Takes a token for a packet, or the one that it has waited for.
    fn has_token(&self) -> bool {
        self.bucket().is_none_or(|bucket| self.has_paid.swap(false, Relaxed) || bucket.check().is_ok())
    }

    /// CONNECT is being decided on, until the guard is dropped.
    pub(in crate::engine) fn admission(self: &Arc<Self>) -> Admission {
        self.admissions.fetch_add(1, SeqCst);
        Admission(self.clone())
    }

    /// Bytes that it holds: its input, and its output in full.
    pub(in crate::engine) fn held(&self) -> usize {
        self.received.bytes() + self.output().bytes()
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        ready!(self.received.poll_room(cx));
        if self.admissions.load(SeqCst) < ADMISSIONS {
            return Poll::Ready(());
        }
        self.received.wait(cx);
        // One that was decided in the meantime woke nobody.
        if self.admissions.load(SeqCst) < ADMISSIONS { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A CONNECT that is undecided.
pub(in crate::engine) struct Admission(Arc<Connection>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.admissions.fetch_sub(1, SeqCst);
        self.0.received.wake();
    }
}

/// The turn of whoever takes a connection's packets in.
#[derive(Default)]
pub(in crate::engine) struct Intake {
    /// Packets since others had a turn.
    taken: u32,
    is_stalled: bool,
    /// Until there is a token.
    token: Option<Pin<Box<Sleep>>>,
}

impl Intake {
    /// A packet was taken in. False where the next one must wait for [`Self::poll_ready`].
    pub(in crate::engine) fn took(&mut self, connection: &Connection) -> bool {
        self.taken += 1;
        self.taken < PACKETS_PER_TURN
            && !connection.owes.load(Relaxed)
            && connection.admissions.load(Relaxed) < ADMISSIONS
            && connection.received.has_room()
    }

    /// Waits until the next packet may be taken in, or the connection is closed.
    pub(in crate::engine) async fn ready(&mut self, connection: &Arc<Connection>) {
        poll_fn(|cx| if connection.is_closed() { Poll::Ready(()) } else { self.poll_ready(connection, cx) }).await;
    }

    /// Ready when the next packet may be taken in. Until then the connection's ping deadline stands still.
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

    /// Pays what the connection owes, and for the packet that has waited meanwhile: that may be an event, which is not to be
    /// refused for what came before it.
    fn poll_token(&mut self, connection: &Connection, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(token) = &mut self.token {
                ready!(token.as_mut().poll(cx));
                self.token = None;
            }
            if !connection.owes.load(Relaxed) {
                return Poll::Ready(());
            }
            match connection.bucket().and_then(limits::wait) {
                None if connection.has_paid.swap(true, Relaxed) => connection.owes.store(false, Relaxed),
                // The debt is paid. Now the token of the next packet.
                None => {}
                Some(wait) => self.token = Some(Box::pin(tokio::time::sleep(wait))),
            }
        }
    }
}

impl Connection {
    /// It is not read from, or is again.
    fn stall(self: &Arc<Self>, is_stalled: bool) {
        {
            let mut state = self.state();
            if state.is_closed {
                return;
            }
            state.beat.stall(is_stalled, Instant::now());
        }
        self.watch_clock();
    }
}
