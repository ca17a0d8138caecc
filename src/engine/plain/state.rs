//! The state of a client of plain WebSocket that the sending and the receiving side of its connection share.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use super::{
    envelope::{self, Asked, Refusal},
    rendering,
};
use crate::engine::{client_socket::ClientSocket, frame::Frame, settings::PlainSettings};

/// The state of one client.
#[derive(Default)]
pub(in crate::engine) struct Plain {
    /// Whether it has sent an envelope: from then on it gets no bare texts.
    has_envelopes: AtomicBool,
    /// What was decided about its last CONNECT, until its reader takes it.
    verdict: Mutex<Option<Verdict>>,
    /// The events that are to be answered, by the ids under which its socket acknowledges them.
    asked: Mutex<HashMap<u64, Asked>>,
    next_id: AtomicU64,
}

/// What was decided about a client's CONNECT.
pub(in crate::engine) enum Verdict {
    /// The client has joined the namespace.
    Yes(Arc<dyn ClientSocket>),
    /// The client was refused.
    No(Refusal),
}

impl Verdict {
    /// The client was refused with a message, which is a code where there is no data. `data` is JSON.
    pub(in crate::engine) fn refused(message: &str, data: Option<&str>) -> Self {
        Self::No(envelope::refusal(message, data))
    }
}

impl Plain {
    /// A packet as the client gets it. `None` if it gets nothing for it.
    pub(in crate::engine) fn rendered<'a>(
        &self,
        frame: &'a Arc<Frame>,
        settings: &PlainSettings,
    ) -> Option<Cow<'a, Arc<Frame>>> {
        if frame.is_ack() {
            return rendering::reply(frame, |id| self.take_asked(id)).map(Cow::Owned);
        }
        let rendered = if self.has_envelopes() {
            frame.envelope(rendering::envelope)
        } else {
            frame.bare_text(|frame| rendering::bare_text(frame, settings))
        };
        rendered.map(Cow::Borrowed)
    }

    /// Whether the client has sent an envelope.
    pub(super) fn has_envelopes(&self) -> bool {
        self.has_envelopes.load(Ordering::Relaxed)
    }

    /// The client has sent an envelope.
    pub(super) fn envelope_arrived(&self) {
        self.has_envelopes.store(true, Ordering::Relaxed);
    }

    /// Keeps an event that is to be answered, and returns the id under which its socket acknowledges it.
    pub(super) fn ask(&self, asked: Asked) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.asked.lock().insert(id, asked);
        id
    }

    /// Takes out the event with this id.
    pub(super) fn take_asked(&self, id: u64) -> Option<Asked> {
        self.asked.lock().remove(&id)
    }

    /// Whether a verdict waits for the reader.
    pub(super) fn is_decided(&self) -> bool {
        self.verdict.lock().is_some()
    }

    /// Keeps the verdict for the reader, which must be woken then.
    pub(in crate::engine) fn decide(&self, verdict: Verdict) {
        *self.verdict.lock() = Some(verdict);
    }

    /// Takes the verdict out.
    pub(super) fn take_verdict(&self) -> Option<Verdict> {
        self.verdict.lock().take()
    }
}
