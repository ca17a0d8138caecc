//! The methods that a connection calls on its sockets: for the client's packets, for pings, and at the connection's
//! end. A packet from the client resets the count of failed recoveries (`replays`).

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Phase, Socket};
use crate::{
    engine::{
        application::{Application, IncomingEvent, NotAnEvent},
        client_socket::ClientSocket,
        reason::DisconnectReason,
        replays::Replays,
    },
    model::SocketId,
};

impl ClientSocket for Socket {
    fn id(&self) -> SocketId {
        self.id
    }

    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn is_connected(&self) -> bool {
        Self::is_connected(self)
    }

    fn application(&self) -> Option<Arc<dyn Application>> {
        Self::application(self)
    }

    fn receive(&self, event: IncomingEvent<'_>) -> Result<(), DisconnectReason> {
        let application = {
            let mut state = self.state();
            state.replays = Replays::default();
            match &state.phase {
                Phase::Connected(_) => state.application.clone(),
                Phase::Connecting(_) => return Err(DisconnectReason::ForcedServerClose),
                Phase::Away { .. } | Phase::Closed => None,
            }
        };
        match application {
            Some(application) => application.receive(event).map_err(|NotAnEvent| DisconnectReason::ForcedClose),
            None => Ok(()),
        }
    }

    fn ack_received(&self, id: Option<u64>, json: &str, attachments: Vec<Bytes>) -> Result<bool, NotAnEvent> {
        let arguments: Vec<Box<RawValue>> = match json {
            "" => Vec::new(),
            json => serde_json::from_str(json).map_err(|_| NotAnEvent)?,
        };
        let sender = {
            let mut state = self.state();
            state.replays = Replays::default();
            id.and_then(|id| state.pending_acks.remove(&id))
        };
        let is_awaited = sender.is_some();
        if let Some(sender) = sender {
            // Fails if the receiver was dropped, for example after a timeout.
            drop(sender.send((arguments, attachments)));
        }
        Ok(is_awaited)
    }

    fn end(self: Arc<Self>, reason: DisconnectReason) {
        Self::end(&self, reason);
    }

    fn kick(self: Arc<Self>) {
        Self::kick(&self, false);
    }

    fn ping_sent(&self) {
        self.state().log.ping_sent();
    }

    fn pong_received(&self) {
        let mut state = self.state();
        state.log.pong_received();
        state.replays = Replays::default();
    }

    fn connection_lost(self: Arc<Self>, sid: &str, reason: DisconnectReason) {
        self.lose_connection(sid, reason);
    }
}
