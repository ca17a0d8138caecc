//! The trait through which a connection calls its sockets.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    application::{Application, IncomingEvent, NotAnEvent},
    reason::DisconnectReason,
};
use crate::model::SocketId;

/// The methods that a connection calls on the sockets of its client. `Socket` implements it. The trait is needed
/// because `socket.rs` imports `connection.rs`, so `connection.rs` cannot import `socket.rs`.
pub(super) trait ClientSocket: Send + Sync {
    /// The socket's id.
    fn id(&self) -> SocketId;

    /// The path of its namespace.
    fn namespace(&self) -> &str;

    /// Whether its CONNECT was accepted, and its client is connected now.
    fn is_connected(&self) -> bool;

    /// The application's side of this socket. `None` before CONNECT was accepted and after the socket has ended.
    fn application(&self) -> Option<Arc<dyn Application>>;

    /// Called for an EVENT. On `Err`, the caller must end the connection with this reason.
    fn receive(&self, event: IncomingEvent<'_>) -> Result<(), DisconnectReason>;

    /// Called for an ACK. Returns whether the server waits for an acknowledgement with this id.
    fn ack_received(&self, id: Option<u64>, json: &str, attachments: Vec<Bytes>) -> Result<bool, NotAnEvent>;

    /// Disconnects the socket permanently, and sends nothing to its client.
    fn end(self: Arc<Self>, reason: DisconnectReason);

    /// Sends DISCONNECT and disconnects the socket permanently.
    fn kick(self: Arc<Self>);

    /// The connection is about to send a ping.
    fn ping_sent(&self);

    /// The connection has received the pong to its last ping.
    fn pong_received(&self);

    /// The connection with this `sid` has ended. Ignored if the client has already recovered the socket through another
    /// connection.
    fn connection_lost(self: Arc<Self>, sid: &str, reason: DisconnectReason);

    /// See [`Application::has_event`].
    fn has_event(&self, event: &str) -> bool {
        self.application().is_some_and(|application| application.has_event(event))
    }

    /// See [`Application::acknowledge_register`].
    fn acknowledge_register(&self, id: u64) {
        if let Some(application) = self.application() {
            application.acknowledge_register(id);
        }
    }

    /// See [`Application::run_in_queue`].
    fn run_in_queue(&self, then: Box<dyn FnOnce() + Send>) {
        if let Some(application) = self.application() {
            application.run_in_queue(then);
        }
    }
}
