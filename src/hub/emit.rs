//! Emits events: at once, or together with the rest of a commit.

use bytes::Bytes;

use super::{
    Hub,
    encoded::{Encoded, check_name},
    held_events::HeldEvents,
    outgoing::Outgoing,
    to::To,
};
use crate::{
    error::{Error, Result},
    model::{Room, SocketId},
    protocol::ServerEvent,
    tellings::Tellings,
};

impl Hub {
    /// Emits an event at once: puts it into the queues and recovery logs of its receivers.
    ///
    /// `unavailable` if Socket.IO reserves the event's name or its payload cannot be written as JSON. If there are no
    /// receivers, the payload is not encoded, and only the name is checked.
    pub fn emit<E: ServerEvent>(&self, to: To<'_>, event: &E) -> Result<()> {
        if !self.registry().has_receivers(to) {
            return check_name(E::NAME);
        }
        self.deliver(&Outgoing::new(to, Encoded::of(event)?));
        Ok(())
    }

    /// Emits an encoded event at once. Returns the number of queues and recovery logs that it was put into. `too-large`
    /// if it has more attachments than `limits.attachments`.
    pub fn send(&self, outgoing: &Outgoing<'_>) -> Result<usize> {
        self.check_attachments(&outgoing.event.attachments)?;
        Ok(self.deliver(outgoing))
    }

    /// Emits one of the server's own events at once.
    pub(crate) fn tell<E: ServerEvent>(&self, to: To<'_>, event: &E) {
        log_failure::<E>(self.emit(to, event));
    }

    /// Emits one of the server's own events together with the rest of a commit. Consecutive events of a commit to the
    /// same room may be sent as one frame.
    pub(crate) fn tell_with<E: ServerEvent>(&self, tellings: &mut Tellings, to: To<'_>, event: &E) {
        log_failure::<E>(self.emit_with(tellings, to, event));
    }

    /// Emits one of the server's own events at once, as a volatile event. The socket `except` does not receive it.
    pub(crate) fn tell_volatile<E: ServerEvent>(&self, to: To<'_>, except: Option<SocketId>, event: &E) {
        log_failure::<E>(Encoded::of(event).map(|event| {
            self.deliver(&Outgoing { except, ..Outgoing::new(to, event).volatile() });
        }));
    }

    /// Emits one of the server's own events at once, as a transient event.
    pub(crate) fn tell_transient<E: ServerEvent>(&self, to: To<'_>, event: &E) {
        log_failure::<E>(Encoded::of(event).map(|event| {
            self.deliver(&Outgoing::new(to, event).transient());
        }));
    }

    fn emit_with<E: ServerEvent>(&self, tellings: &mut Tellings, to: To<'_>, event: &E) -> Result<()> {
        if !self.registry().has_receivers(to) {
            return check_name(E::NAME);
        }
        let event = Encoded::of(event)?;
        match to {
            // Listeners of outgoing events run when an event is sent. If there are any, the event is not held back.
            To::Room(room @ Room::Named(_)) if !self.sent_events.are_heard() => self.hold(tellings, room, event),
            _ => {
                tellings.flush();
                tellings.delivered(self.deliver(&Outgoing::new(to, event)));
            }
        }
        Ok(())
    }

    /// Holds an event back. If the event does not fit into the run that is held back, that run is delivered first, and
    /// a new run begins.
    fn hold(&self, tellings: &mut Tellings, room: &Room, event: Encoded) {
        tellings.hold(&self.this);
        let mut pending = self.engine.pending_flush();
        let mut order = self.order.lock();
        let event = match order.run() {
            None => event,
            Some(run) => match run.push(room, event) {
                Ok(()) => return,
                Err(event) => event,
            },
        };
        tellings.delivered(self.release(&mut order, &mut pending));
        order.hold(HeldEvents::new(room, event));
    }

    /// Puts an event into its receivers' queues, after the events that are held back. Returns the number of deliveries.
    fn deliver(&self, outgoing: &Outgoing<'_>) -> usize {
        let mut pending = self.engine.pending_flush();
        let mut frame = None;
        let mut delivered = 0;
        let mut receivers = self.sent_events.receivers();
        let mut order = self.order.lock();
        self.release(&mut order, &mut pending);
        self.registry().each(outgoing, &mut |socket| {
            let frame = frame.get_or_insert_with(|| {
                let frame = self.frame(&outgoing.event);
                if outgoing.is_transient { frame.transient() } else { frame }
            });
            if socket.deliver(frame, outgoing.is_volatile, &mut pending) {
                delivered += 1;
                receivers.add(socket);
            }
        });
        self.sent_events.sent(&outgoing.event, receivers);
        drop(order);
        self.metrics.deliveries.increment(delivered as u64);
        drop(pending);
        self.sent_events.tell();
        delivered
    }

    pub(super) fn check_attachments(&self, attachments: &[Bytes]) -> Result<()> {
        if attachments.len() > self.engine.attachments_max() {
            self.metrics.limited("attachments");
            let count = attachments.len();
            return Err(Error::TooLarge(format!("{count} attachments are too many (limits.attachments)")));
        }
        Ok(())
    }
}

/// Logs that one of the server's own events could not be emitted.
fn log_failure<E: ServerEvent>(emitted: Result<()>) {
    if let Err(error) = emitted {
        tracing::error!(event = E::NAME, %error, "one of the server's own events was not emitted");
    }
}
