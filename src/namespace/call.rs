//! An event that was received and is not answered yet.

use std::{sync::Arc, time::Instant};

use crate::{engine::ReceivedCharge, error::Error, metrics::EventMetrics, protocol::Arguments};

/// The result of an event: the acknowledgement's arguments, and the error where it failed.
pub(super) type Outcome = (Arguments, Option<Error>);

/// An event that was received and is not answered yet.
pub(super) struct Call {
    pub(super) name: Arc<str>,
    pub(super) metrics: Arc<EventMetrics>,
    pub(super) arrived: Instant,
    pub(super) origin: Origin,
}

/// The client's side of an event.
pub(super) struct Origin {
    /// The id of the acknowledgement, if the client wants one.
    pub(super) id: Option<u64>,
    /// The memory that the event costs until it is answered.
    pub(super) charge: Option<ReceivedCharge>,
}

impl Call {
    pub(super) fn new(name: Arc<str>, metrics: &Arc<EventMetrics>, origin: Origin) -> Self {
        Self { name, metrics: metrics.clone(), arrived: Instant::now(), origin }
    }

    /// The event waits for a commit from now on.
    pub(super) fn becomes_write(&mut self) {
        if let Some(charge) = &mut self.origin.charge {
            charge.becomes_write();
        }
    }

    /// The error of an event whose handler panicked.
    pub(super) fn panicked(&self) -> Error {
        Error::internal("the server failed", format!("the handler of {} panicked", self.name))
    }
}
