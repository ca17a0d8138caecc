//! The interface to the layer above: what it does with a socket and its events.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{handshake::Handshake, memory::ReceivedCharge, reason::DisconnectReason};
use crate::model::{Room, UserId};

/// A socket of the layer above. The engine calls it for each socket that was let into its namespace.
pub(crate) trait Application: Send + Sync {
    /// An event has arrived. `Err` where the text is no event: the connection is closed then.
    fn receive(self: Arc<Self>, arrival: Arrival<'_>) -> Result<(), NotAnEvent>;

    /// Authenticates a client that wants to recover the socket. True where it is the user the socket belongs to; the
    /// socket has these credentials from now on.
    fn readmit(&self, handshake: &Handshake, auth: &str) -> bool;

    /// Counts the socket as connected against the limits; false where a limit is reached. Called with the socket's lock
    /// held, so it must not call the socket.
    fn take_seat(&self, handshake: &Handshake) -> bool;

    /// Undoes [`Self::take_seat`], under the same rule.
    fn leave_seat(&self);

    /// The client went away or came back; [`Socket::is_away`](super::socket::Socket::is_away) says which.
    fn moved(self: Arc<Self>);

    /// The socket was disconnected for good.
    fn ended(self: Arc<Self>, reason: DisconnectReason);

    /// The user the socket belongs to.
    fn user(&self) -> UserId;

    /// Whether the socket's user may be in a room.
    fn may_hear(&self, room: &Room) -> bool;

    /// Whether the layer above takes the client for away. It processes [`Self::moved`] in the socket's queue, so it may
    /// be behind, and it never learns of a change that was undone meanwhile.
    fn is_away(&self) -> bool;

    /// Whether the namespace has an event of this name.
    fn knows(&self, event: &str) -> bool;

    /// Acknowledges, in the socket's queue, with the user and the users that are online.
    fn welcome(self: Arc<Self>, id: u64);

    /// Calls `then` in the socket's queue: when all earlier events are answered.
    fn in_turn(self: Arc<Self>, then: Box<dyn FnOnce() + Send>);
}

/// An event as it arrived.
pub(crate) struct Arrival<'a> {
    /// The JSON array of its name and arguments.
    pub(crate) json: &'a str,
    /// Its binary attachments.
    pub(crate) attachments: Vec<Bytes>,
    /// The id of the acknowledgement that the client asks for, if it does.
    pub(crate) id: Option<u64>,
    /// The memory it is charged for until it is answered.
    pub(crate) charge: ReceivedCharge,
    /// Whether its connection's rate limit allows it.
    pub(crate) is_within_rate: bool,
}

/// A text that is no event, or no acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAnEvent;

/// A client's acknowledgement: the JSON texts of its arguments, and its attachments.
pub(crate) type Answer = (Vec<Box<RawValue>>, Vec<Bytes>);
