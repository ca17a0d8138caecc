//! The context that a handler receives: the socket that sent the event, and methods to emit.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    ack::Ack,
    app_socket::AppSocket,
    call::{Running, RunningEvent, TurnEnd},
};
use crate::{
    app::App,
    auth::Identity,
    chat,
    engine::{Handshake, TransportName},
    error::{Error, Result},
    hub::{Broadcast, Hub, Target, Turn},
    io::{Io, Namespace},
    model::{Room, SocketData, SocketId, User},
    protocol::{FromArguments, Payload, ReplyForm, ServerEvent},
};

/// The socket that sent the event: `socket` in Node. It is cheap to clone, and may be stored and moved into tasks.
#[derive(Clone)]
pub struct Ctx {
    pub(super) socket: Arc<AppSocket>,
    /// `None` in handlers that do not run in a turn of the socket: nothing waits for them.
    running: Option<Running>,
}

/// Identity and state of the socket.
impl Ctx {
    pub(super) fn new(socket: Arc<AppSocket>) -> Self {
        Self { socket, running: None }
    }

    pub(super) fn of_change(socket: Arc<AppSocket>, turn: Arc<TurnEnd>) -> Self {
        Self { socket, running: Some(Running::Change(turn)) }
    }

    pub(super) fn of_event(socket: Arc<AppSocket>, event: Arc<RunningEvent>) -> Self {
        Self { socket, running: Some(Running::Event(event)) }
    }

    /// How this server acknowledges events.
    pub(super) fn form(&self) -> ReplyForm {
        self.socket.form()
    }

    /// This socket's id. It must not be sent to other clients.
    pub fn id(&self) -> SocketId {
        self.socket.id
    }

    /// This socket's id as its client knows it. For clients of Engine.IO 3, it begins with the namespace.
    pub fn client_id(&self) -> String {
        self.socket.inner.client_id()
    }

    /// The user of this socket.
    pub fn user(&self) -> User {
        self.socket.identity().user.clone()
    }

    /// The user, and their permissions.
    pub fn identity(&self) -> Arc<Identity> {
        self.socket.identity()
    }

    /// What the client sent when it connected: Node's `socket.handshake`. It is also available in disconnect handlers.
    /// After a recovery, it is the handshake of the new connection.
    pub fn handshake(&self) -> Handshake {
        self.socket.inner.handshake()
    }

    /// The `auth` of CONNECT as a type of one's own: see [`Handshake::read_auth`].
    pub fn read_auth<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        self.handshake().read_auth()
    }

    /// What the application has stored with this socket: Node's `socket.data`, by type.
    pub fn data(&self) -> &SocketData {
        &self.socket.data
    }

    /// Whether the client has recovered this socket. After a recovery the connection handlers run again; id, rooms and
    /// data are unchanged.
    pub fn recovered(&self) -> bool {
        self.socket.is_recovered.load(Ordering::Relaxed)
    }

    /// Whether the client is connected.
    pub fn connected(&self) -> bool {
        self.socket.inner.is_connected()
    }

    /// Whether the client is disconnected but may still recover this socket. The socket stays in its rooms, and the
    /// client receives the missed events when it recovers the socket.
    pub fn is_away(&self) -> bool {
        self.socket.is_away.load(Ordering::Relaxed)
    }

    /// The transport of the client's connection; `None` if the client is not connected.
    pub fn transport(&self) -> Option<TransportName> {
        self.socket.inner.connection().map(|(transport, _)| transport)
    }

    /// Disconnects this socket permanently: the client does not reconnect by itself. With `close`, the client's whole
    /// connection is closed, as with `socket.disconnect(true)` in Node.
    pub fn disconnect(&self, close: bool) {
        self.socket.hub.kick(self.socket.id, close);
    }

    /// The event that is handled; empty in a connection or disconnect handler.
    pub fn event(&self) -> &str {
        self.running_event().map_or("", |event| &event.name)
    }

    /// Takes the acknowledgement of the event that is handled, to send it later or never. The return value of the
    /// handler is then ignored.
    pub fn ack(&self) -> Ack {
        Ack::new(self.socket.clone(), self.running_event().and_then(|event| event.take()))
    }

    /// Whether the client asked for an acknowledgement of the event that is handled.
    pub fn wants_ack(&self) -> bool {
        self.running_event().is_some_and(|event| event.wants_ack)
    }

    /// Lets the socket's next event begin before this handler has returned.
    pub fn release(&self) {
        if let Some(running) = &self.running {
            running.turn().release();
        }
    }
}

/// Server, namespace and rooms of the socket.
impl Ctx {
    /// The server: Node's `io`.
    pub fn io(&self) -> Io {
        Io::new(self.socket.app.handle.clone(), self.turn())
    }

    /// The application's own settings of a type: see [`Io::settings`].
    ///
    /// # Panics
    ///
    /// If the server has no section of this type.
    pub fn settings<T: Send + Sync + 'static>(&self) -> Arc<T> {
        self.io().settings()
    }

    /// A clone of the value of this type that [`Server::state`](crate::Server::state) was given.
    ///
    /// # Panics
    ///
    /// If it was given none: the event is answered `unavailable`, and the log names the type.
    pub fn state<S: Clone + 'static>(&self) -> S {
        self.socket.app.handle.state()
    }

    /// This socket's namespace: Node's `socket.nsp`.
    pub fn nsp(&self) -> Namespace {
        Namespace::new(self.socket.app.handle.clone(), self.socket.inner.namespace.clone(), self.turn())
    }

    /// The path of this socket's namespace.
    pub fn namespace(&self) -> &str {
        self.socket.path()
    }

    /// What stands in the namespace's path in place of a parameter of its pattern: `7` for `id` in `/orders-7`, if the
    /// pattern is `/orders-{id}`.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.socket.hub.parent()?.param(self.namespace(), name)
    }

    /// The hub of this namespace.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.socket.hub
    }

    /// The server's parts.
    pub(crate) fn app(&self) -> &Arc<App> {
        &self.socket.app
    }

    /// The names of the rooms that this socket is in, sorted.
    pub fn rooms(&self) -> Vec<String> {
        self.socket.hub.room_names(self.socket.id)
    }

    /// Whether this socket is in a room.
    pub fn is_in(&self, room: &str) -> bool {
        let hub = &self.socket.hub;
        hub.room_named(room).is_ok_and(|room| hub.is_subscribed(self.socket.id, &room))
    }

    /// Makes this socket join a room until it leaves or disconnects; nothing is stored. `bad-payload` if the room's
    /// name is not valid, `forbidden` if this user may not enter it.
    pub fn join(&self, room: &str) -> Result<()> {
        let room = self.socket.hub.room_named(room)?;
        let who = self.socket.identity();
        if !who.access.allows(&who.user.id, &room) {
            return Err(Error::Forbidden("this room is not open to you".to_owned()));
        }
        chat::subscribe(&self.socket.app, &self.socket.hub, &who, self.socket.id, &room)
    }

    /// Makes this socket leave a room. `bad-payload` if the room's name is not valid.
    pub fn leave(&self, room: &str) -> Result<()> {
        self.unsubscribe(&self.socket.hub.room_named(room)?);
        Ok(())
    }

    /// Makes this socket leave all its rooms.
    pub fn leave_all(&self) {
        for room in self.socket.hub.rooms_of(self.socket.id) {
            self.unsubscribe(&room);
        }
    }

    fn unsubscribe(&self, room: &Room) {
        chat::unsubscribe(&self.socket.app, &self.socket.hub, &self.socket.identity(), self.socket.id, room);
    }

    /// Replaces this socket's identity by a new one of the same user, as when a session was prolonged. The socket leaves
    /// the rooms that the new identity may not enter. `forbidden` if the user is another one.
    pub fn renew(&self, identity: Identity) -> Result<()> {
        self.replace_identity(self.app().auth.adopt(identity)?)
    }

    /// See [`Self::renew`]; the identity is the server's own.
    pub(crate) fn replace_identity(&self, identity: Identity) -> Result<()> {
        if identity.user.id != self.socket.user_id() {
            return Err(Error::Forbidden("the identity is another user's".to_owned()));
        }
        self.socket.renew(identity);
        chat::leave_closed_rooms(self.app(), self.hub(), &self.identity(), self.id());
        Ok(())
    }
}

/// Emitting.
impl Ctx {
    /// Emits to this socket. Errors as with [`Broadcast::emit`].
    pub fn emit(&self, event: &str, payload: impl Payload) -> Result<()> {
        self.itself().emit(event, payload)
    }

    /// Emits an event, whose name is [`ServerEvent::NAME`], to this socket. Errors as with [`Broadcast::emit`].
    pub fn emit_event<E: ServerEvent>(&self, event: &E) -> Result<()> {
        self.itself().emit_event(event)
    }

    /// All sockets of the namespace but this one.
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(Some(self.socket.hub.clone()), self.turn()).from(self.socket.id)
    }

    /// A broadcast to `target` that excludes this socket: see [`Broadcast::to`].
    pub fn to(&self, target: impl Into<Target>) -> Broadcast {
        self.broadcast().to(target)
    }

    /// The same as [`Self::to`]; `in` is a keyword in Rust.
    pub fn in_room(&self, target: impl Into<Target>) -> Broadcast {
        self.to(target)
    }

    /// A broadcast that excludes `target` and this socket: see [`Broadcast::except`].
    pub fn except(&self, target: impl Into<Target>) -> Broadcast {
        self.broadcast().except(target)
    }

    /// This socket, as the receiver of volatile events: see [`Broadcast::volatile`].
    pub fn volatile(&self) -> Broadcast {
        self.itself().volatile()
    }

    /// Emits to this socket and waits for the client's acknowledgement, as long as the client is connected. The
    /// socket's next event may begin meanwhile. `unavailable` if the client goes, `bad-payload` if `T` cannot be read
    /// from its answer.
    pub async fn emit_with_ack<T: FromArguments>(&self, event: &str, payload: impl Payload) -> Result<T> {
        self.ask(event, payload, None).await
    }

    /// This socket with a timeout for [`Timeout::emit_with_ack`].
    pub fn timeout(&self, timeout: Duration) -> Timeout {
        Timeout { ctx: self.clone(), timeout }
    }

    async fn ask<T: FromArguments>(&self, event: &str, payload: impl Payload, timeout: Option<Duration>) -> Result<T> {
        let itself = match timeout {
            Some(timeout) => self.itself().timeout(timeout),
            None => self.itself(),
        };
        let answer = itself.emit_with_ack(event, payload).await?.pop();
        answer.map_or_else(|| Err(Error::unavailable("the client has gone")), |(_, answer)| answer)
    }

    /// What an emit of this handler ends if it waits for acknowledgements.
    fn turn(&self) -> Option<Arc<dyn Turn>> {
        self.running.as_ref().map(Running::as_turn)
    }

    fn running_event(&self) -> Option<&Arc<RunningEvent>> {
        self.running.as_ref()?.event()
    }

    fn itself(&self) -> Broadcast {
        Broadcast::new(Some(self.socket.hub.clone()), self.turn()).to(self.socket.id)
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx").field("id", &self.socket.id).field("namespace", &self.namespace()).finish_non_exhaustive()
    }
}

/// A socket, and how long to wait for its client's acknowledgement: see [`Ctx::timeout`].
#[derive(Debug, Clone)]
pub struct Timeout {
    ctx: Ctx,
    timeout: Duration,
}

impl Timeout {
    /// Emits to the socket and waits for the client's acknowledgement. `unavailable` if the client goes or does not
    /// answer in time, `bad-payload` if `T` cannot be read from its answer.
    pub async fn emit_with_ack<T: FromArguments>(&self, event: &str, payload: impl Payload) -> Result<T> {
        self.ctx.ask(event, payload, Some(self.timeout)).await
    }
}
