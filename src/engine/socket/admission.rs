//! The answer to CONNECT.

use std::sync::Arc;

use super::{Phase, Socket};
use crate::engine::{
    application::Application, flush::PendingFlush, frame::Frame, plain::state::Verdict, version::Protocol,
};

impl Socket {
    /// Has the library decide on CONNECT. `route` is its name of the namespace. A connect handler then calls
    /// [`Self::connected`] or [`Self::refuse`].
    pub(in crate::engine) fn ask_library(&self, route: &str, auth: &str) {
        self.session.connect(self.shared.library(), route, auth);
    }

    /// Refuses the client: CONNECT_ERROR, with a message and data as JSON, if there is any.
    pub(crate) fn refuse(self: &Arc<Self>, message: &str, data: Option<&str>) {
        let connection = {
            let mut state = self.state();
            let Phase::Connecting(connection) = std::mem::replace(&mut state.phase, Phase::Closed) else { return };
            connection
        };
        // Removed before the answer leaves: its client may send another CONNECT as soon as it has read it.
        connection.remove_socket(&**self);
        connection.refuse_connect(&self.namespace, message, data);
        self.session.close(self.shared.library());
    }

    /// Accepts the client: CONNECT is the first packet it gets. False where it has gone meanwhile.
    pub(crate) fn connected(
        self: &Arc<Self>,
        application: Arc<dyn Application>,
        pending: &mut PendingFlush<'_>,
    ) -> bool {
        let mut state = self.state();
        let Phase::Connecting(connection) = &state.phase else { return false };
        let connection = connection.clone();
        connection.joined();
        connection.push(&self.connect_frame(), false, pending);
        state.phase = Phase::Connected(connection.clone());
        state.application = Some(application);
        if let Some(pid) = &self.pid {
            self.away.know(pid, self);
        }
        connection.decided(|| Verdict::Yes(self.clone()));
        true
    }

    /// Ends the session of the library: everything that follows CONNECT is between the engine and the layer above.
    pub(crate) fn leave_library(&self) {
        self.session.close(self.shared.library());
    }

    /// The CONNECT that accepts the client, for the first time or again.
    pub(super) fn connect_frame(&self) -> Arc<Frame> {
        match self.protocol {
            Protocol::V4 => Frame::connect(&self.namespace, Some((&self.id.to_string(), self.pid.as_deref()))),
            Protocol::V3 | Protocol::Plain => Frame::connect(&self.namespace, None),
        }
    }
}
