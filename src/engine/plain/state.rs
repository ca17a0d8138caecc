//! The state of a plain WebSocket client. The sending and the receiving side of its connection share it.

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
    envelope::{self, ConnectError, ReplyFields},
    rendering,
};
use crate::engine::{client_socket::ClientSocket, frame::Frame, settings::PlainSettings};

/// The state of one client.
#[derive(Default)]
pub(in crate::engine) struct PlainState {
    /// Whether the client has sent an envelope. From then on it receives envelopes instead of bare texts.
    has_envelopes: AtomicBool,
    /// The decision on the client's last CONNECT, until the connection's reader takes the decision.
    decision: Mutex<Option<ConnectDecision>>,
    /// The fields of the replies that are not sent yet, by acknowledgement id.
    pending_replies: Mutex<HashMap<u64, ReplyFields>>,
    next_id: AtomicU64,
}

/// The decision on a client's CONNECT.
pub(in crate::engine) enum ConnectDecision {
    /// The client has joined the namespace.
    Accepted(Arc<dyn ClientSocket>),
    /// The client was refused.
    Refused(ConnectError),
}

impl ConnectDecision {
    /// The decision to refuse the client. `message` and `data` are those of CONNECT_ERROR; `data` is JSON. If `data` is
    /// `None`, `message` is an error code.
    pub(in crate::engine) fn refused(message: &str, data: Option<&str>) -> Self {
        Self::Refused(envelope::connect_error(message, data))
    }
}

impl PlainState {
    /// Renders a packet for the client. `None` if the client does not get it.
    pub(in crate::engine) fn rendered<'a>(
        &self,
        frame: &'a Arc<Frame>,
        settings: &PlainSettings,
    ) -> Option<Cow<'a, Arc<Frame>>> {
        if frame.is_ack() {
            return rendering::reply(frame, |id| self.take_pending_reply(id)).map(Cow::Owned);
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

    /// Stores the fields of a reply. Returns the acknowledgement id under which they are stored.
    pub(super) fn add_pending_reply(&self, reply_fields: ReplyFields) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.pending_replies.lock().insert(id, reply_fields);
        id
    }

    /// Removes and returns the fields of the reply with this acknowledgement id.
    pub(super) fn take_pending_reply(&self, id: u64) -> Option<ReplyFields> {
        self.pending_replies.lock().remove(&id)
    }

    /// Whether there is a decision that the reader has not taken.
    pub(super) fn is_decided(&self) -> bool {
        self.decision.lock().is_some()
    }

    /// Stores the decision. The caller then wakes the reader.
    pub(in crate::engine) fn decide(&self, decision: ConnectDecision) {
        *self.decision.lock() = Some(decision);
    }

    /// Removes and returns the decision.
    pub(super) fn take_decision(&self) -> Option<ConnectDecision> {
        self.decision.lock().take()
    }
}
