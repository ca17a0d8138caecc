//! A write that has begun and has no outcome yet.

use std::{sync::Arc, thread};

use super::{
    app_socket::AppSocket,
    call::{Call, Outcome},
    queue::Place,
};
use crate::{error::Error, protocol::acknowledgement, tellings::Tellings};

/// A write that has begun. Dropped without an outcome, it has failed.
pub(super) struct Pending {
    socket: Arc<AppSocket>,
    /// `None` once it has an outcome.
    call: Option<Call>,
    place: Place,
}

impl Pending {
    pub(super) fn new(socket: Arc<AppSocket>, mut call: Call, place: Place) -> Self {
        call.becomes_write();
        Self { socket, call: Some(call), place }
    }

    /// Ends the write. It is answered after the writes before it: with the rest of the commit, or at once where
    /// `tellings` is `None`.
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
