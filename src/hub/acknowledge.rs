//! Acknowledges clients' events. An acknowledgement is delivered after all events that were emitted before it.

use std::sync::Arc;

use super::Hub;
use crate::{engine::Socket, protocol::Arguments, tellings::Tellings};

impl Hub {
    /// Acknowledges an event of a socket at once.
    pub(crate) fn acknowledge(&self, socket: &Arc<Socket>, id: u64, arguments: Arguments) {
        let arguments = self.checked(socket, arguments);
        self.deliver_held();
        self.deliver_ack(socket, id, arguments);
    }

    /// Acknowledges an event of a socket together with the rest of a commit. The acknowledgement is delivered after the
    /// events that the commit emitted before it, and before those that it emits later.
    pub(crate) fn acknowledge_with(
        &self,
        tellings: &mut Tellings,
        socket: &Arc<Socket>,
        id: u64,
        arguments: Arguments,
    ) {
        let arguments = self.checked(socket, arguments);
        if self.order.is_holding() {
            tellings.hold(&self.this);
            // `is_holding` takes no lock, so another thread may have delivered the held-back events in the meantime.
            if let Some(run) = self.order.lock().run() {
                return run.push_ack(socket, id, arguments);
            }
        }
        // The hub of another namespace may hold back events for the same client.
        tellings.flush();
        tellings.delivered(self.deliver_ack(socket, id, arguments));
    }

    /// Puts an acknowledgement into the socket's queue. Returns the number of deliveries: 1, or 0 if it was not queued.
    fn deliver_ack(&self, socket: &Arc<Socket>, id: u64, arguments: Arguments) -> usize {
        let mut pending = self.engine.pending_flush();
        let is_sent = socket.acknowledge(id, &arguments.json, arguments.attachments, &mut pending);
        self.metrics.deliveries.increment(u64::from(is_sent));
        usize::from(is_sent)
    }

    /// The arguments. If they have more attachments than `limits.attachments`, the arguments of an error instead.
    fn checked(&self, socket: &Socket, arguments: Arguments) -> Arguments {
        match self.check_attachments(&arguments.attachments) {
            Ok(()) => arguments,
            Err(error) => {
                tracing::error!(socket = %socket.id, %error, "an acknowledgement was replaced by an error");
                self.reply_form.failed(&error)
            }
        }
    }
}
