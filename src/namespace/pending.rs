//! A write that has started and has no result yet.

use std::{sync::Arc, thread};

use super::{
    app_socket::AppSocket,
    call::{Call, Outcome},
    queue::Place,
};
use crate::{error::Error, protocol::acknowledgement, tellings::Tellings};

/// An event whose handler has started a write. If this is dropped before the write has a result, the event fails.
pub(super) struct Pending {
    socket: Arc<AppSocket>,
    /// The event that asked for the write. `None` once the write has a result.
    call: Option<Call>,
    place: Place,
}

impl Pending {
    pub(super) fn new(socket: Arc<AppSocket>, mut call: Call, place: Place) -> Self {
        call.becomes_write();
        Self { socket, call: Some(call), place }
    }

    /// Sets the result of the write. The event is answered after the socket's earlier writes: together with the rest of
    /// the commit, or at once if `tellings` is `None`.
    pub(super) fn settle(mut self, outcome: Outcome, tellings: Option<&mut Tellings>) {
        if let Some(call) = self.call.take() {
            self.socket.settle(self.place, call, outcome, tellings);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            let error = match thread::panicking() {
                true => call.panicked(),
                false => Error::unavailable("the store is closing"),
            };
            self.socket.settle(self.place, call, acknowledgement::<()>(Err(error)), None);
        }
    }
}
