//! The context of a handler: the socket that sent the event, and the ways to emit.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::app_socket::AppSocket;
use crate::{
    app::App,
    auth::Identity,
    chat,
    error::{Error, Result},
    hub::{Answered, Hub, To},
    model::{Room, RoomName, SocketId, User},
    protocol::ServerEvent,
};

/// The context of a handler: the socket that sent the event, and the hub of its namespace.
#[derive(Clone)]
pub struct Ctx {
    socket: Arc<AppSocket>,
}

impl Ctx {
    pub(super) fn new(socket: Arc<AppSocket>) -> Self {
        Self { socket }
    }

    /// The user of this socket.
    pub fn user(&self) -> User {
        self.socket.identity().user.clone()
    }

    /// The user, and their permissions.
    pub fn identity(&self) -> Arc<Identity> {
        self.socket.identity()
    }

    /// This socket's id. Only its client may know it.
    pub fn socket_id(&self) -> SocketId {
        self.socket.id
    }

    /// This socket's id as its client knows it: clients of Engine.IO 3 put the namespace before it.
    pub fn client_id(&self) -> String {
        self.socket.inner.client_id()
    }

    /// The path of this socket's namespace.
    pub fn namespace(&self) -> &str {
        self.socket.path()
    }

    /// The `auth` of CONNECT, as JSON text; `{}` where there was none.
    pub fn auth(&self) -> &str {
        if self.socket.auth.is_empty() { "{}" } else { &self.socket.auth }
    }

    /// Whether the client has gone and may come back. The socket still hears its rooms; the client gets what it missed.
    pub fn is_away(&self) -> bool {
        self.socket.is_away.load(Ordering::Relaxed)
    }

    /// The hub of this namespace.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.socket.hub
    }

    /// The server.
    pub fn app(&self) -> &Arc<App> {
        &self.socket.app
    }

    /// Emits to this socket. Errors as with [`Hub::emit`].
    pub fn emit<E: ServerEvent>(&self, event: &E) -> Result<()> {
        self.socket.hub.emit(To::Socket(self.socket.id), event)
    }

    /// Emits to this socket and waits for the client's acknowledgement. `unavailable` where the client goes or does not
    /// answer in time.
    pub async fn ask<E: ServerEvent>(&self, event: &E, timeout: Duration) -> Result<Answered> {
        self.socket.hub.ask(self.socket.id, event, timeout).await
    }

    /// Ends this socket for good, so that an unchanged client stays away; with `close` the client's whole connection,
    /// as Node's `socket.disconnect(true)` does.
    pub fn disconnect(&self, close: bool) {
        self.socket.hub.kick(self.socket.id, close);
    }

    /// Emits to all sockets of a room, also to this one if it is in it. `bad-payload` where the name cannot be a
    /// room's; other errors as with [`Hub::emit`].
    pub fn emit_to_room<E: ServerEvent>(&self, room: &str, event: &E) -> Result<()> {
        self.socket.hub.emit(To::Room(&named(room)?), event)
    }

    /// Makes this socket hear a room until it leaves or disconnects; nothing is stored. `bad-payload` where the name
    /// cannot be a room's, `forbidden` where this user may not enter it.
    pub fn join(&self, room: &str) -> Result<()> {
        let room = named(room)?;
        let who = self.socket.identity();
        if !who.access.allows(&who.user.id, &room) {
            return Err(Error::Forbidden("this room is not open to you".to_owned()));
        }
        chat::hear(&self.socket.app, &self.socket.hub, &who, self.socket.id, &room)
    }

    /// Makes this socket hear a room no longer. `bad-payload` where the name cannot be a room's.
    pub fn leave(&self, room: &str) -> Result<()> {
        chat::unhear(&self.socket.app, &self.socket.hub, &self.socket.identity(), self.socket.id, &named(room)?);
        Ok(())
    }

    /// Replaces this socket's identity, by one of the same user.
    pub(crate) fn renew(&self, identity: Identity) {
        self.socket.renew(identity);
    }
}

fn named(room: &str) -> Result<Room> {
    RoomName::parse(room).map(Room::Named).map_err(Error::BadPayload)
}
