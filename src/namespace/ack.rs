//! The handle with which an application acknowledges an event itself: `callback` in Node.

use std::sync::Arc;

use super::{app_socket::AppSocket, call::Call};
use crate::{error::Result, protocol::Payload};

/// The acknowledgement of an event, to be sent later or never: see [`Ctx::ack`](crate::Ctx::ack). Until it is sent or
/// dropped, the event counts for `limits.events-in-flight`.
pub struct Ack {
    socket: Arc<AppSocket>,
    /// `None` if the event was answered before, or the acknowledgement was taken before.
    call: Option<Call>,
}

impl Ack {
    pub(super) fn new(socket: Arc<AppSocket>, call: Option<Call>) -> Self {
        Self { socket, call }
    }

    /// Whether the client waits for the acknowledgement.
    pub fn is_wanted(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.receipt.id.is_some())
    }

    /// Acknowledges the event with a value, or with a tuple of several values. If the client asked for no
    /// acknowledgement, none is sent.
    pub fn send(self, payload: impl Payload + Send) {
        self.complete(Ok(payload));
    }

    /// Acknowledges the event with a result, as if the handler had returned it.
    pub fn complete(mut self, result: Result<impl Payload + Send>) {
        if let Some(call) = self.call.take() {
            let outcome = self.socket.form().acknowledgement(result);
            self.socket.answer(call, outcome, None);
        }
    }
}

/// If it is dropped without having been sent, the client gets no acknowledgement.
impl Drop for Ack {
    fn drop(&mut self) {
        if self.call.take().is_some() {
            self.socket.queue.leave();
        }
    }
}
