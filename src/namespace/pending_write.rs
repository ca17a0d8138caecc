//! A write that has begun and has no outcome yet.

use std::{sync::Arc, thread};

use super::{
    app_socket::AppSocket,
    call::{Call, Outcome},
    queue::WriteNumber,
};
use crate::{error::Error, tellings::Tellings};

/// An event whose handler has begun a write. If this is dropped before the write has an outcome, the event fails.
pub(super) struct PendingWrite {
    socket: Arc<AppSocket>,
    /// The event. `None` once the write has an outcome.
    call: Option<Call>,
    number: WriteNumber,
}

impl PendingWrite {
    pub(super) fn new(socket: Arc<AppSocket>, mut call: Call, number: WriteNumber) -> Self {
        call.becomes_write();
        Self { socket, call: Some(call), number }
    }

    /// Sets the outcome of the write. The event's answer waits for the answers to the socket's earlier writes. If it
    /// need not wait, it is sent together with the rest of the commit, or immediately if `tellings` is `None`.
    pub(super) fn complete(mut self, outcome: Outcome, tellings: Option<&mut Tellings>) {
        if let Some(call) = self.call.take() {
            self.socket.complete(self.number, call, outcome, tellings);
        }
    }
}

impl Drop for PendingWrite {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            let error = match thread::panicking() {
                true => call.panicked(),
                false => Error::unavailable("the store is closing"),
            };
            self.socket.complete(self.number, call, self.socket.form().failure(error), None);
        }
    }
}
