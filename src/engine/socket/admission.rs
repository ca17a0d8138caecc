//! Accepts or refuses a CONNECT.

use std::sync::Arc;

use super::{Phase, Socket};
use crate::engine::{
    application::Application, flush::PendingFlush, frame::Frame, plain::state::ConnectDecision,
    reason::DisconnectReason, version::Protocol,
};

impl Socket {
    /// Passes CONNECT to the library, which calls the connect handler. The handler calls [`Self::connected`] or
    /// [`Self::refuse`].
    pub(in crate::engine) fn ask_library(&self, auth: &str) {
        self.session.connect(self.shared.library(), auth);
    }

    /// Refuses the client: sends CONNECT_ERROR with a message and `data`, which is JSON.
    pub(crate) fn refuse(self: &Arc<Self>, message: &str, data: Option<&str>) {
        let connection = {
            let mut state = self.state();
            let Phase::Connecting(connection) = std::mem::replace(&mut state.phase, Phase::Closed) else { return };
            connection
        };
        // Removed before the answer is sent: the client may send another CONNECT as soon as it has read the answer.
        connection.remove_socket(&**self);
        connection.refuse_connect(&self.namespace, message, data);
        self.session.close(self.shared.library());
    }

    /// Ends the connection of a client whose CONNECT is undecided, because the server is closing. The client connects
    /// again by itself.
    pub(crate) fn send_away(&self) {
        let connection = match &self.state().phase {
            Phase::Connecting(connection) => connection.clone(),
            Phase::Connected(_) | Phase::Away { .. } | Phase::Closed => return,
        };
        connection.end(DisconnectReason::ServerShuttingDown, None);
    }

    /// Accepts the client: sends CONNECT, as the first packet of the namespace. False if the client has disconnected in
    /// the meantime.
    pub(crate) fn connected(
        self: &Arc<Self>,
        application: Arc<dyn Application>,
        pending: &mut PendingFlush<'_>,
    ) -> bool {
        let mut state = self.state();
        let Phase::Connecting(connection) = &state.phase else { return false };
        let connection = connection.clone();
        connection.namespace_joined();
        connection.push(&self.connect_frame(), false, pending);
        state.phase = Phase::Connected(connection.clone());
        state.application = Some(application);
        if let Some(pid) = &self.pid {
            self.recoverable.add_pid(pid, self);
        }
        connection.connect_decided(|| ConnectDecision::Accepted(self.clone()));
        true
    }

    /// Closes the library's session, which is not used after CONNECT.
    pub(crate) fn leave_library(&self) {
        self.session.close(self.shared.library());
    }

    /// The CONNECT packet that accepts the client, also after a recovery.
    pub(super) fn connect_frame(&self) -> Arc<Frame> {
        match self.protocol {
            Protocol::V4 => Frame::connect(&self.namespace, Some((&self.id.to_string(), self.pid.as_deref()))),
            Protocol::V3 | Protocol::Plain => Frame::connect(&self.namespace, None),
        }
    }
}
