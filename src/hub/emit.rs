//! Emits events, at once or together with the rest of a commit.

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
    /// Emits an event at once: puts it into its receivers' queues, and into the recovery logs of those that may miss
    /// it.
    ///
    /// `unavailable` where Socket.IO reserves its name, or its payload cannot be written as JSON; the latter only where
    /// there are receivers, for otherwise it is not written.
    pub fn emit<E: ServerEvent>(&self, to: To<'_>, event: &E) -> Result<()> {
        if !self.registry().has_receivers(to) {
            return check_name::<E>();
        }
        self.deliver(&Outgoing::new(to, Encoded::of(event)?));
        Ok(())
    }

    /// Emits an event to all but one socket. Errors as with [`Self::emit`].
    pub fn emit_except<E: ServerEvent>(&self, to: To<'_>, except: SocketId, event: &E) -> Result<()> {
        self.deliver(&Outgoing::new(to, Encoded::of(event)?).except(except));
        Ok(())
    }

    /// Emits an encoded event at once. Returns the number of queues and recovery logs that it was put into. `too-large`
    /// where it has more attachments than `limits.attachments`.
    pub fn send(&self, outgoing: &Outgoing<'_>) -> Result<usize> {
        self.check_attachments(&outgoing.event.attachments)?;
        Ok(self.deliver(outgoing))
    }

    /// Emits an event of the server's own at once.
    pub(crate) fn tell<E: ServerEvent>(&self, to: To<'_>, event: &E) {
        log_failure::<E>(self.emit(to, event));
    }

    /// Emits an event of the server's own together with the rest of a commit: events of one commit to one room leave
    /// as one frame.
    pub(crate) fn tell_with<E: ServerEvent>(&self, tellings: &mut Tellings, to: To<'_>, event: &E) {
        log_failure::<E>(self.emit_with(tellings, to, event));
    }

    /// Emits a volatile event of the server's own at once, to all but `except`.
    pub(crate) fn tell_volatile<E: ServerEvent>(&self, to: To<'_>, except: Option<SocketId>, event: &E) {
        log_failure::<E>(Encoded::of(event).map(|event| {
            self.deliver(&Outgoing { except, ..Outgoing::new(to, event).volatile() });
        }));
    }

    fn emit_with<E: ServerEvent>(&self, tellings: &mut Tellings, to: To<'_>, event: &E) -> Result<()> {
        if !self.registry().has_receivers(to) {
            return check_name::<E>();
        }
        let event = Encoded::of(event)?;
        match to {
            To::Room(room @ Room::Named(_)) => self.hold(tellings, room, event),
            _ => {
                tellings.flush();
                tellings.delivered(self.deliver(&Outgoing::new(to, event)));
            }
        }
        Ok(())
    }

    /// Holds an event back. Those that are held are delivered first where it cannot join them.
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

    /// Puts an event into its receivers' queues, after those that are held back. Returns the number of deliveries.
    fn deliver(&self, outgoing: &Outgoing<'_>) -> usize {
        let mut pending = self.engine.pending_flush();
        let mut frame = None;
        let mut delivered = 0;
        let mut order = self.order.lock();
        self.release(&mut order, &mut pending);
        self.registry().each(outgoing, &mut |socket| {
            let frame = frame.get_or_insert_with(|| self.frame(&outgoing.event));
            delivered += usize::from(socket.deliver(frame, outgoing.is_volatile, &mut pending));
        });
        drop(order);
        self.metrics.deliveries.increment(delivered as u64);
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

/// Logs that an event of the server's own could not be emitted.
fn log_failure<E: ServerEvent>(emitted: Result<()>) {
    if let Err(error) = emitted {
        tracing::error!(event = E::NAME, %error, "an event of the server's own was not emitted");
    }
}
