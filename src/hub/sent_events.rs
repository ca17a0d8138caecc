//! The events that were sent to sockets, for the listeners of outgoing events: Node's `onAnyOutgoing`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{encoded::Encoded, in_turn::InTurn};
use crate::{
    engine::{Application, Socket},
    protocol::{Args, Arguments},
};

/// The events of a namespace that were sent, but not yet passed to the listeners of outgoing events.
#[derive(Default)]
pub(super) struct SentEvents {
    /// Whether a socket of the namespace has had such listeners.
    are_heard: AtomicBool,
    untold: InTurn<SentEvent>,
}

struct SentEvent {
    event: Encoded,
    receivers: Vec<Arc<dyn Application>>,
}

/// The sockets that an event was sent to. `None` if no socket of the namespace has had listeners of outgoing events.
pub(super) struct Receivers(Option<Vec<Arc<dyn Application>>>);

impl SentEvents {
    /// Called when a socket has listeners of outgoing events. From now on, sent events are queued.
    pub(super) fn hear(&self) {
        self.are_heard.store(true, Ordering::Relaxed);
    }

    pub(super) fn are_heard(&self) -> bool {
        self.are_heard.load(Ordering::Relaxed)
    }

    /// Collects the receivers while an event is delivered.
    pub(super) fn receivers(&self) -> Receivers {
        Receivers(self.are_heard().then(Vec::new))
    }

    /// Queues an event that was sent. The caller has locked the order, and must call [`Self::tell`] after it has
    /// released its locks.
    pub(super) fn sent(&self, event: &Encoded, Receivers(receivers): Receivers) {
        if let Some(receivers) = receivers.filter(|receivers| !receivers.is_empty()) {
            self.untold.add(SentEvent { event: event.clone(), receivers });
        }
    }

    /// Tells the listeners. The caller holds no locks.
    pub(super) fn tell(&self) {
        if self.are_heard() {
            self.untold.pass_on(SentEvent::tell);
        }
    }
}

impl Receivers {
    /// Adds a socket that the event was sent to. Whether the socket has listeners is checked later, without locks: the
    /// check may drop the last reference to the socket's application object, and with it values that the application
    /// has stored.
    pub(super) fn add(&mut self, socket: &Socket) {
        if let Some(receivers) = &mut self.0 {
            receivers.extend(socket.application());
        }
    }
}

impl SentEvent {
    fn tell(self) {
        let Self { event: Encoded { json, attachments }, receivers } = self;
        if !receivers.iter().any(|receiver| receiver.hears_sent_events()) {
            return;
        }
        let Ok((name, args)) = Args::parse(&json, &attachments) else { return };
        let (name, arguments): (Arc<str>, _) = (name.into(), Arguments::new(args.array_text(), attachments.clone()));
        for receiver in receivers.into_iter().filter(|receiver| receiver.hears_sent_events()) {
            receiver.event_sent(&name, &arguments);
        }
    }
}
