//! Emits events that ask for an acknowledgement, and waits for it.

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
    /// Emits an event to one socket and waits for its acknowledgement. `unavailable` where the client has gone or
    /// does not answer in time.
    pub async fn ask<E: ServerEvent>(&self, id: SocketId, event: &E, timeout: Duration) -> Result<Answered> {
        let (_, answered) = self
            .ask_all(&Outgoing::new(To::Socket(id), Encoded::of(event)?), timeout)
            .await?
            .pop()
            .ok_or_else(|| Error::unavailable("the client has gone"))?;
        answered
    }

    /// Emits an event to its receivers, without those that are away, and waits for their acknowledgements. Each fails
    /// as with [`Self::ask`], and is `too-large` where all together have more than 4 MB. The call fails, and nothing is
    /// emitted, where the event has more attachments than `limits.attachments`: `too-large`.
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

/// An acknowledgement that is waited for. The socket forgets it when the wait ends, also by a timeout or because the
/// future is dropped.
struct Asked<'a> {
    socket: &'a Socket,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.socket.forget(self.id);
    }
}
