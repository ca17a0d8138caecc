//! A socket as its connection sees it.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    application::{Application, Arrival, NotAnEvent},
    reason::DisconnectReason,
};
use crate::model::SocketId;

/// What a connection calls on the sockets of its client. `Socket` implements it: `socket.rs` imports `connection.rs`,
/// so `connection.rs` cannot import `socket.rs`.
pub(super) trait ClientSocket: Send + Sync {
    /// The socket's id.
    fn id(&self) -> SocketId;

    /// The path of its namespace.
    fn namespace(&self) -> &str;

    /// Whether its CONNECT was accepted and its client is connected.
    fn is_connected(&self) -> bool;

    /// The socket of the layer above; `None` before its CONNECT was accepted and after its end.
    fn application(&self) -> Option<Arc<dyn Application>>;

    /// An EVENT has arrived. `Err` with the reason to end the connection for.
    fn receive(&self, arrival: Arrival<'_>) -> Result<(), DisconnectReason>;

    /// An ACK has arrived. Returns whether the server waits for one of this id.
    fn acknowledged(&self, id: Option<u64>, json: &str, attachments: Vec<Bytes>) -> Result<bool, NotAnEvent>;

    /// Disconnects the socket for good, without telling its client.
    fn finish(self: Arc<Self>, reason: DisconnectReason);

    /// Sends DISCONNECT and disconnects the socket for good.
    fn kick(self: Arc<Self>);

    /// The connection is about to send a ping.
    fn ping_sent(&self);

    /// The connection has received the pong to its last ping.
    fn pong_received(&self);

    /// The connection of this `sid` has ended.
    fn connection_lost(self: Arc<Self>, sid: &str, reason: DisconnectReason);

    /// Whether its namespace has an event of this name.
    fn knows(&self, event: &str) -> bool {
        self.application().is_some_and(|application| application.knows(event))
    }

    /// See [`Application::welcome`].
    fn welcome(&self, id: u64) {
        if let Some(application) = self.application() {
            application.welcome(id);
        }
    }

    /// See [`Application::in_turn`].
    fn in_turn(&self, then: Box<dyn FnOnce() + Send>) {
        if let Some(application) = self.application() {
            application.in_turn(then);
        }
    }
}
