//! Emits events and waits for their acknowledgements, as `emitWithAck` does in Node.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;

use super::{Hub, answered::Answered, encoded::Encoded, outgoing::Outgoing, to::To};
use crate::{
    engine::{Frame, Socket},
    error::{Error, Result},
    model::SocketId,
    protocol::ServerEvent,
};

impl Hub {
    /// Emits an event to one socket and waits for its acknowledgement. `unavailable` if the client is not connected,
    /// disconnects, or does not answer in time.
    pub async fn ask<E: ServerEvent>(&self, id: SocketId, event: &E, timeout: Duration) -> Result<Answered> {
        let (_, answered) = self
            .ask_all(&Outgoing::new(To::Socket(id), Encoded::of(event)?), timeout)
            .await?
            .pop()
            .ok_or_else(|| Error::unavailable("the client has gone"))?;
        answered
    }

    /// Emits an event to its connected receivers and waits for their acknowledgements. Sockets that are away are
    /// skipped. Each result fails as with [`Self::ask`]; it also fails with `too-large` if all acknowledgements
    /// together exceed 4 MB. The whole call fails with `too-large`, and emits nothing, if the event has more
    /// attachments than `limits.attachments`.
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
            let mut order = self.order.lock();
            self.release(&mut order, &mut pending);
            self.registry().each(outgoing, &mut |socket| {
                asked.extend(socket.ask(&frame, id, &mut pending).map(|answer| (socket.clone(), answer)));
            });
            asked
        };
        let deadline = tokio::time::Instant::now() + timeout;
        let kept = &AtomicUsize::new(0);
        let answers = join_all(asked.into_iter().map(|(socket, answer)| async move {
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
}

/// A pending acknowledgement. When this is dropped, the socket stops waiting for the acknowledgement: it has arrived,
/// the timeout has passed, or the future was dropped.
struct Asked<'a> {
    socket: &'a Socket,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.socket.forget(self.id);
    }
}
