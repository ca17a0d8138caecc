//! Acknowledges clients' events, after everything that was emitted before.

use std::sync::Arc;

use super::Hub;
use crate::{engine::Socket, protocol::Arguments, tellings::Tellings};

impl Hub {
    /// Acknowledges an event of a socket at once.
    pub(crate) fn acknowledge(&self, socket: &Arc<Socket>, id: u64, arguments: Arguments) {
        let arguments = self.checked(socket, arguments);
        self.settle();
        self.deliver_answer(socket, id, arguments);
    }

    /// Acknowledges an event of a socket together with the rest of a commit. The acknowledgement keeps its place among
    /// the events of the commit.
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
            // Without the lock, another thread may have delivered the run in the meantime.
            if let Some(run) = self.order.lock().run() {
                return run.answer(socket, id, arguments);
            }
        }
        // Events may be held back in another namespace of this client.
        tellings.flush();
        tellings.delivered(self.deliver_answer(socket, id, arguments));
    }

    fn deliver_answer(&self, socket: &Arc<Socket>, id: u64, arguments: Arguments) -> usize {
        let mut pending = self.engine.pending_flush();
        let is_sent = socket.acknowledge(id, &arguments.json, arguments.attachments, &mut pending);
        self.metrics.deliveries.increment(u64::from(is_sent));
        usize::from(is_sent)
    }

    /// The arguments, or an error where they have more attachments than `limits.attachments`.
    fn checked(&self, socket: &Socket, arguments: Arguments) -> Arguments {
        match self.check_attachments(&arguments.attachments) {
            Ok(()) => arguments,
            Err(error) => {
                tracing::error!(socket = %socket.id, %error, "an acknowledgement was replaced by an error");
                Arguments::failed(&error)
            }
        }
    }
}
