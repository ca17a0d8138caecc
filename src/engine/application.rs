//! The trait through which the engine calls the layer above: the application's side of a socket.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{handshake::Handshake, memory::ReceivedCharge, reason::DisconnectReason};
use crate::{
    model::{Room, SocketData, UserId},
    protocol::Arguments,
    restart::SavedMember,
};

/// The application's side of a socket whose CONNECT was accepted.
pub(crate) trait Application: Send + Sync {
    /// Receives an event. `Err` if the text is not an event: the caller then closes the connection.
    fn receive(self: Arc<Self>, event: IncomingEvent<'_>) -> Result<(), NotAnEvent>;

    /// Authenticates a client that wants to recover the socket. If the client is the socket's user, replaces the
    /// socket's credentials by the new ones and returns true.
    fn readmit(&self, handshake: &Handshake) -> bool;

    /// Counts the socket against the limits on connected sockets. False if a limit is reached. It is called with the
    /// socket's lock held, so it must not call the socket.
    fn take_seat(&self, handshake: &Handshake) -> bool;

    /// Undoes [`Self::take_seat`]. Like that method, it must not call the socket.
    fn leave_seat(&self);

    /// Called when the client has gone away or come back. [`Socket::take_changes`](super::socket::Socket::take_changes)
    /// returns the changes.
    fn away_changed(self: Arc<Self>);

    /// Called when the socket was disconnected permanently.
    fn ended(self: Arc<Self>, reason: DisconnectReason);

    /// The user to whom the socket belongs.
    fn user(&self) -> UserId;

    /// Whether the socket's user may enter a room.
    fn may_enter(&self, room: &Room) -> bool;

    /// Whether the client is away, as far as the layer above knows. That layer processes [`Self::away_changed`] in the
    /// socket's queue, so its knowledge may be behind.
    fn is_away(&self) -> bool;

    /// What the application has stored with the socket.
    fn data(&self) -> &Arc<SocketData>;

    /// The user and the data as values for the next process. `None` if the data cannot be written: the socket then ends
    /// with this process.
    fn saved(&self) -> Option<SavedMember>;

    /// Whether no handler of the socket runs and no event or write of it waits.
    fn is_idle(&self) -> bool;

    /// Whether the namespace has a handler or a relay for events of this name.
    fn has_event(&self, event: &str) -> bool;

    /// Acknowledges the `Register` of a plain WebSocket client, in the socket's queue. The acknowledgement contains the
    /// client's own user and a list of the users that are online.
    fn acknowledge_register(self: Arc<Self>, id: u64);

    /// Whether [`Self::event_sent`] must be called for each event that is sent to the socket.
    fn hears_sent_events(&self) -> bool {
        false
    }

    /// Called after an event was sent to the socket, if [`Self::hears_sent_events`] returns true.
    fn event_sent(self: Arc<Self>, _event: &Arc<str>, _arguments: &Arguments) {}

    /// Calls `then` in the socket's queue: after all earlier events are answered.
    fn run_in_queue(self: Arc<Self>, then: Box<dyn FnOnce() + Send>);
}

/// An event from a client.
pub(crate) struct IncomingEvent<'a> {
    /// The JSON array of the event's name and arguments.
    pub(crate) json: &'a str,
    /// The event's binary attachments.
    pub(crate) attachments: Vec<Bytes>,
    /// The acknowledgement id, if the client requests an acknowledgement.
    pub(crate) id: Option<u64>,
    /// The charge for the event's memory, held until the event is answered.
    pub(crate) charge: ReceivedCharge,
    /// Whether the event is within its connection's rate limit.
    pub(crate) is_within_rate: bool,
}

/// The error for a text that is not a valid event or acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAnEvent;

/// The arguments of a client's acknowledgement, as JSON texts, and its attachments.
pub(crate) type AckArguments = (Vec<Box<RawValue>>, Vec<Bytes>);
