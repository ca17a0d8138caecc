//! A handle to a socket, for code that does not run in the socket's own handlers: `RemoteSocket` in Node.

use std::{sync::Arc, time::Duration};

use super::{Hub, encoded::Encoded, outgoing::Outgoing, to::To, turn::Turn};
use crate::{
    engine::{Handshake, Socket},
    error::{Error, Result},
    model::{SocketData, SocketId, UserId},
    protocol::{FromArguments, Payload},
};

/// A socket of a namespace. [`Broadcast::fetch_sockets`](super::Broadcast::fetch_sockets) returns it.
#[derive(Clone)]
pub struct RemoteSocket {
    hub: Arc<Hub>,
    socket: Arc<Socket>,
    user: UserId,
    data: Arc<SocketData>,
    /// The event whose handler has fetched this socket. While the handler waits in [`Self::emit_with_ack`], the next
    /// event may begin.
    turn: Option<Arc<dyn Turn>>,
}

impl RemoteSocket {
    /// `None` if the socket has ended, or its client is away.
    pub(super) fn new(hub: Arc<Hub>, id: SocketId, turn: Option<Arc<dyn Turn>>) -> Option<Self> {
        let socket = hub.registry().everyone().get(&id).cloned()?;
        let application = socket.application()?;
        // `application` must not be kept: a namespace counts a socket until its `Application` is dropped.
        let (user, data) = (application.user(), application.data().clone());
        (!application.is_away()).then_some(Self { hub, socket, user, data, turn })
    }

    /// The socket's id.
    pub fn id(&self) -> SocketId {
        self.socket.id
    }

    /// The id of the socket's user.
    pub fn user_id(&self) -> UserId {
        self.user.clone()
    }

    /// What the client sent when it connected: Node's `handshake`. After a recovery, it is the handshake of the new
    /// connection.
    pub fn handshake(&self) -> Handshake {
        self.socket.handshake()
    }

    /// What the application has stored with the socket.
    pub fn data(&self) -> &SocketData {
        &self.data
    }

    /// The names of the rooms that the socket is in.
    pub fn rooms(&self) -> Vec<String> {
        self.hub.room_names(self.socket.id)
    }

    /// Emits to this socket. Errors as with [`Broadcast::emit`](super::Broadcast::emit).
    pub fn emit(&self, event: &str, payload: impl Payload) -> Result<()> {
        let event = Encoded::named(event, &payload)?;
        self.hub.send(&Outgoing::new(To::Socket(self.socket.id), event)).map(drop)
    }

    /// Emits to this socket and waits for the client's acknowledgement. `unavailable` if the client goes or does not
    /// answer within `timeout`, `bad-payload` if `T` cannot be read from its answer. Other errors as with
    /// [`Self::emit`].
    pub async fn emit_with_ack<T: FromArguments>(
        &self,
        event: &str,
        payload: impl Payload,
        timeout: Duration,
    ) -> Result<T> {
        let event = Encoded::named(event, &payload)?;
        drop(payload);
        let asking = self.hub.ask_each(&Outgoing::new(To::Socket(self.socket.id), event))?;
        if let Some(turn) = &self.turn {
            turn.release();
        }
        let (_, answer) =
            asking.answers(Some(timeout)).await.pop().ok_or_else(|| Error::unavailable("the client has gone"))?;
        answer?.read()
    }

    /// Makes the socket join a room. `bad-payload` if the room's name is not valid.
    pub fn join(&self, room: &str) -> Result<()> {
        self.hub.subscribe(self.socket.id, &self.hub.room_named(room)?);
        Ok(())
    }

    /// Makes the socket leave a room. `bad-payload` if the room's name is not valid.
    pub fn leave(&self, room: &str) -> Result<()> {
        self.hub.unsubscribe(self.socket.id, &self.hub.room_named(room)?);
        Ok(())
    }

    /// Disconnects the socket. A Socket.IO client then does not reconnect by itself, and cannot recover the socket.
    /// With `close`, the client's whole connection is closed.
    pub fn disconnect(&self, close: bool) {
        self.hub.kick(self.socket.id, close);
    }
}
