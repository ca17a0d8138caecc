//! What a socket's connection calls on it: packets of its client's, pings, and the connection's end.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Phase, Socket};
use crate::{
    engine::{
        application::{Application, Arrival, NotAnEvent},
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

    fn receive(&self, arrival: Arrival<'_>) -> Result<(), DisconnectReason> {
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
            Some(application) => application.receive(arrival).map_err(|NotAnEvent| DisconnectReason::ForcedClose),
            None => Ok(()),
        }
    }

    fn acknowledged(&self, id: Option<u64>, json: &str, attachments: Vec<Bytes>) -> Result<bool, NotAnEvent> {
        let arguments: Vec<Box<RawValue>> = match json {
            "" => Vec::new(),
            json => serde_json::from_str(json).map_err(|_| NotAnEvent)?,
        };
        let asked = {
            let mut state = self.state();
            state.replays = Replays::default();
            id.and_then(|id| state.asked.remove(&id))
        };
        let is_awaited = asked.is_some();
        if let Some(asked) = asked {
            // Fails where the receiver was dropped: nobody waits any more.
            drop(asked.send((arguments, attachments)));
        }
        Ok(is_awaited)
    }

    fn finish(self: Arc<Self>, reason: DisconnectReason) {
        self.end(reason);
    }

    fn kick(self: Arc<Self>) {
        Self::kick(&self, false);
    }

    fn ping_sent(&self) {
        self.state().log.pinged();
    }

    fn pong_received(&self) {
        let mut state = self.state();
        state.log.confirmed();
        state.replays = Replays::default();
    }

    fn connection_lost(self: Arc<Self>, sid: &str, reason: DisconnectReason) {
        self.lose_connection(sid, reason);
    }
}
