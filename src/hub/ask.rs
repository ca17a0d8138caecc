//! Emits events and waits for acknowledgements, as `emitWithAck` does in Node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::{Hub, client_ack::ClientAck, encoded::Encoded, outgoing::Outgoing};
use crate::{
    engine::{AckArguments, Frame, Socket},
    error::{Error, Result},
    model::SocketId,
};

impl Hub {
    /// Emits an event to its connected receivers and waits for their acknowledgements. Sockets that are away are
    /// skipped. A result is `unavailable` if the client disconnects or does not answer in time, and `too-large` if all
    /// acknowledgements together exceed 4 MB. The whole call fails with `too-large`, and emits nothing, if the event has more
    /// attachments than `limits.attachments`.
    pub async fn ask_all(
        &self,
        outgoing: &Outgoing<'_>,
        timeout: Duration,
    ) -> Result<Vec<(SocketId, Result<ClientAck>)>> {
        Ok(self.ask_each(outgoing)?.answers(Some(timeout)).await)
    }

    /// Emits an event to its connected receivers and requests an acknowledgement from each. Fails with `too-large` if
    /// the event has more attachments than `limits.attachments`.
    pub(super) fn ask_each(&self, outgoing: &Outgoing<'_>) -> Result<PendingAcks> {
        self.check_attachments(&outgoing.event.attachments)?;
        let id = self.next_ack.fetch_add(1, Ordering::Relaxed);
        let mut pending = self.engine.pending_flush();
        let Encoded { json, attachments } = &outgoing.event;
        let frame = Frame::event(&self.path, Some(id), json, attachments.clone(), None);
        let mut acks = Vec::new();
        let mut receivers = self.sent_events.receivers();
        let mut order = self.order.lock();
        self.release(&mut order, &mut pending);
        self.registry().each(outgoing, &mut |socket| {
            let answer = socket.emit_with_ack(&frame, id, &mut pending);
            if let Some(answer) = answer {
                acks.push(PendingAck { socket: socket.clone(), id, answer });
                receivers.add(socket);
            }
        });
        self.sent_events.sent(&outgoing.event, receivers);
        drop(order);
        drop(pending);
        self.sent_events.tell();
        Ok(PendingAcks(acks))
    }
}

/// The acknowledgements of one event that have not arrived yet.
pub(super) struct PendingAcks(Vec<PendingAck>);

impl PendingAcks {
    /// Waits until each acknowledgement has arrived or failed. Those that have not arrived after `timeout` fail.
    pub(super) async fn answers(self, timeout: Option<Duration>) -> Vec<(SocketId, Result<ClientAck>)> {
        let deadline = timeout.map(|timeout| tokio::time::Instant::now() + timeout);
        let bytes = &AtomicUsize::new(0);
        let answers = self.0.into_iter().map(|mut ack| async move {
            let answer = match deadline {
                Some(deadline) => tokio::time::timeout_at(deadline, &mut ack.answer).await,
                None => Ok((&mut ack.answer).await),
            };
            let answered = match answer {
                Ok(Ok(answer)) => ClientAck::within(answer, bytes),
                Ok(Err(_)) => Err(Error::unavailable("the client has gone")),
                Err(_) => Err(Error::unavailable("the client did not answer in time")),
            };
            (ack.socket.id, answered)
        });
        join_all(answers).await
    }
}

/// A pending acknowledgement. It is dropped when the acknowledgement has arrived, the timeout has passed, or the caller
/// has dropped the future. The drop removes it from the socket's pending acknowledgements.
struct PendingAck {
    socket: Arc<Socket>,
    id: u64,
    answer: oneshot::Receiver<AckArguments>,
}

impl Drop for PendingAck {
    fn drop(&mut self) {
        self.socket.cancel_ack(self.id);
    }
}
