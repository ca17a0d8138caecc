//! What leaves: events at once or at the end of a turn, acknowledgements, questions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use parking_lot::MutexGuard;

use super::{Answered, Encoded, Hub, Outgoing, Receiver, To, encode, outgoing::check_name, run::Run};
use crate::{
    engine::{Frame, PendingFlush, Socket},
    error::{Error, Result},
    model::{Room, SocketId},
    protocol::{Arguments, ServerEvent},
    turn::{self, Keeper},
};

impl Hub {
    /// Emits an event: puts it into the queues of those who are to hear it, and into the logs of those who may have
    /// gone for a moment. What follows one commit and goes to one room is put there together, at the end of the turn.
    ///
    /// An error where its name is one of those that Socket.IO reserves, or its payload cannot be written as JSON; the
    /// latter only where somebody hears it, for what nobody hears is not even written.
    pub fn emit<E: ServerEvent>(&self, to: To<'_>, event: &E) -> Result<()> {
        if !self.state().has_receivers(to) {
            return check_name::<E>();
        }
        let outgoing = Outgoing::new(to, encode(event)?);
        match to {
            To::Room(room) if Run::is_for(&outgoing) && turn::keep(&self.this) => self.keep(room, outgoing.event),
            _ => drop(self.deliver(&outgoing)),
        }
        Ok(())
    }

    /// Emits an event to all but one socket. Errors as with [`Self::emit`].
    pub fn emit_except<E: ServerEvent>(&self, to: To<'_>, except: SocketId, event: &E) -> Result<()> {
        self.deliver(&Outgoing::new(to, encode(event)?).except(except));
        Ok(())
    }

    /// Emits an event of the server's own, which can be written.
    pub(crate) fn tell<E: ServerEvent>(&self, to: To<'_>, event: &E) {
        not_emitted::<E>(self.emit(to, event));
    }

    /// Emits a volatile event of the server's own at once, to all but `except`.
    pub(crate) fn tell_volatile<E: ServerEvent>(&self, to: To<'_>, except: Option<SocketId>, event: &E) {
        let deliver = |event| self.deliver(&Outgoing { except, ..Outgoing::new(to, event).volatile() });
        not_emitted::<E>(encode(event).map(|event| {
            deliver(event);
        }));
    }

    fn keep(&self, room: &Room, event: Encoded) {
        let mut pending = self.engine.pending_flush();
        let mut sending = self.sending();
        let event = match sending.as_mut() {
            None => event,
            Some(run) => match run.push(room, event) {
                Ok(()) => return,
                Err(event) => event,
            },
        };
        self.catch_up(&mut sending, &mut pending);
        *sending = Some(Run::of(room, event));
        self.is_behind.store(true, Ordering::Release);
    }

    /// Emits an event as [`Self::emit`] does, at once. Returns into how many queues and logs it was put. `too-large` where
    /// it has more attachments than `limits.attachments`.
    pub fn send(&self, outgoing: &Outgoing<'_>) -> Result<usize> {
        self.check_attachments(&outgoing.event.attachments)?;
        Ok(self.deliver(outgoing))
    }

    fn check_attachments(&self, attachments: &[Bytes]) -> Result<()> {
        if attachments.len() > self.engine.attachments_max() {
            self.metrics.limited("attachments");
            let count = attachments.len();
            return Err(Error::TooLarge(format!("{count} attachments are too many (limits.attachments)")));
        }
        Ok(())
    }

    fn deliver(&self, outgoing: &Outgoing<'_>) -> usize {
        let mut pending = self.engine.pending_flush();
        let mut frame = None;
        let mut delivered = 0;
        let mut sending = self.sending();
        self.catch_up(&mut sending, &mut pending);
        self.state().each(outgoing, &mut |socket| {
            let frame = frame.get_or_insert_with(|| self.frame(&outgoing.event));
            delivered += usize::from(socket.deliver(frame, outgoing.is_volatile, &mut pending));
        });
        drop(sending);
        self.delivered(delivered);
        delivered
    }

    /// An event with its offset. Their order is that of the frames only while `sending` is held.
    pub(super) fn frame(&self, Encoded { json, attachments }: &Encoded) -> Arc<Frame> {
        Frame::event(&self.path, None, json, attachments.clone(), self.engine.offsets())
    }

    /// Answers an event of a socket, after what it was told before.
    pub(crate) fn acknowledge(&self, socket: &Arc<Socket>, id: u64, arguments: Arguments) {
        let arguments = match self.check_attachments(&arguments.attachments) {
            Ok(()) => arguments,
            Err(error) => {
                tracing::error!(socket = %socket.id, %error, "an acknowledgement was not sent as it is");
                Arguments::failed(&error)
            }
        };
        let mut pending = self.engine.pending_flush();
        if self.is_behind.load(Ordering::Acquire) {
            let may_wait = turn::keep(&self.this);
            let mut sending = self.sending();
            match sending.as_mut() {
                Some(run) if may_wait => return run.answer(socket, id, arguments),
                _ => self.catch_up(&mut sending, &mut pending),
            }
        } else {
            // Another namespace of this client may be behind.
            turn::settle();
        }
        let is_sent = socket.acknowledge(id, &arguments.json, arguments.attachments, &mut pending);
        self.metrics.deliveries.increment(u64::from(is_sent));
    }

    /// Puts into queues what was kept for the end of a turn: before something that does not pass through here.
    pub(crate) fn settle(&self) {
        if self.is_behind.load(Ordering::Acquire) {
            let mut pending = self.engine.pending_flush();
            let mut sending = self.sending();
            self.catch_up(&mut sending, &mut pending);
        }
    }

    fn catch_up(&self, sending: &mut Option<Run>, pending: &mut PendingFlush<'_>) {
        if let Some(run) = sending.take() {
            let delivered = run.tell(self, pending);
            // Not before: whoever sees that nothing is behind passes by the lock.
            self.is_behind.store(false, Ordering::Release);
            self.delivered(delivered);
        }
    }

    /// The sockets that would hear this now, those whose client has gone for the moment among them.
    pub(crate) fn receivers(&self, outgoing: &Outgoing<'_>) -> Vec<Receiver> {
        let state = self.state();
        let mut receivers = Vec::new();
        state.each(outgoing, &mut |socket| {
            let user = state.heard.get(&socket.id).map(|heard| heard.user.id.clone());
            receivers.extend(user.map(|user| Receiver { socket: socket.id, client_id: socket.client_id(), user }));
        });
        receivers
    }

    /// Emits an event to one socket and waits for its acknowledgement. `unavailable` where the client has gone or
    /// does not answer in time.
    pub async fn ask<E: ServerEvent>(&self, id: SocketId, event: &E, timeout: Duration) -> Result<Answered> {
        let (_, answered) = self
            .ask_all(&Outgoing::new(To::Socket(id), encode(event)?), timeout)
            .await?
            .pop()
            .ok_or_else(|| Error::unavailable("the client has gone"))?;
        answered
    }

    /// Sends an event to all who are to hear it and waits for their acknowledgements, each of which fails as with
    /// [`Self::ask`], or with `too-large` where all together have more than 4 MB. Those whose client has gone for the
    /// moment are not asked. Nobody is where the event has more attachments than `limits.attachments`: `too-large`.
    pub async fn ask_all(
        &self,
        outgoing: &Outgoing<'_>,
        timeout: Duration,
    ) -> Result<Vec<(SocketId, Result<Answered>)>> {
        self.check_attachments(&outgoing.event.attachments)?;
        let id = self.next_ack.fetch_add(1, Ordering::Relaxed);
        let asked = {
            let mut pending = self.engine.pending_flush();
            let Encoded { json, attachments } = &outgoing.event;
            let frame = Frame::event(&self.path, Some(id), json, attachments.clone(), None);
            let mut asked = Vec::new();
            let mut sending = self.sending();
            self.catch_up(&mut sending, &mut pending);
            self.state().each(outgoing, &mut |socket| {
                asked.extend(socket.ask(&frame, id, &mut pending).map(|answer| (socket.clone(), answer)));
            });
            asked
        };
        let deadline = tokio::time::Instant::now() + timeout;
        let kept = &AtomicUsize::new(0);
        let answers = join_all(asked.into_iter().map(|(socket, answer)| async move {
            // Whoever stops waiting, for whatever reason, leaves nothing behind.
            let _forget = Asked { socket: &socket, id };
            let answered = match tokio::time::timeout_at(deadline, answer).await {
                Ok(Ok(answer)) => Answered::within(answer, kept),
                Ok(Err(_)) => Err(Error::unavailable("the client has gone")),
                Err(_) => Err(Error::unavailable("the client did not answer in time")),
            };
            (socket.id, answered)
        }));
        Ok(answers.await)
    }

    fn delivered(&self, count: usize) {
        self.metrics.deliveries.increment(count as u64);
        turn::delivered(count);
    }

    fn sending(&self) -> MutexGuard<'_, Option<Run>> {
        self.sending.lock()
    }
}

/// Logs that an event of the server's own could not be written.
fn not_emitted<E: ServerEvent>(emitted: Result<()>) {
    if let Err(error) = emitted {
        tracing::error!(event = E::NAME, %error, "an event of the server's own was not emitted");
    }
}

impl Keeper for Hub {
    fn let_go(&self) {
        self.settle();
    }
}

/// An acknowledgement that somebody waits for.
struct Asked<'a> {
    socket: &'a Socket,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.socket.forget(self.id);
    }
}
