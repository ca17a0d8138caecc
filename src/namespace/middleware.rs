//! The types of an application's connect middleware: `Entrant`, which it receives, and `Refusal`, which it may return.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use crate::{
    app::{App, AppHandle},
    auth::Identity,
    engine::{Handshake, Socket},
    error::{Code, Error, Result},
    hub::Parent,
    input,
    model::{Room, SocketData, User},
    protocol::Failure,
};

/// A client that asks to join a namespace, as connect middleware sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entrant {
    /// The client's user.
    pub user: User,
    /// The namespace's path; for a dynamic namespace the path that the client asked for.
    pub namespace: Arc<str>,
    /// The `auth` of CONNECT; null if the client sent none.
    pub auth: Json,
    /// What the client sent when it connected: headers, query, address and more.
    pub handshake: Handshake,
    /// What the socket will have as [`Ctx::data`](crate::Ctx::data), if it is let in.
    pub data: Arc<SocketData>,
    parent: Option<Arc<Parent>>,
    choices: Arc<Mutex<Choices>>,
    server: AppHandle,
    /// Whether rooms have the names of the chat.
    has_chat: bool,
}

/// The user and the rooms that connect middleware has set for a socket.
#[derive(Debug, Default)]
pub(super) struct Choices {
    pub(super) user: Option<User>,
    pub(super) rooms: Vec<Room>,
}

impl Entrant {
    /// What stands in the namespace's path in place of a parameter of its pattern: `7` for `id` in `/orders-7`, if the
    /// pattern is `/orders-{id}`.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.parent.as_ref()?.param(&self.namespace, name)
    }

    /// A clone of the value of this type that [`Server::state`](crate::Server::state) was given.
    ///
    /// # Panics
    ///
    /// If it was given none: the client is refused with `unavailable`, and the log names the type.
    pub fn state<S: Clone + 'static>(&self) -> S {
        self.server.state()
    }

    /// Makes this the socket's user. It stays the same when the client recovers the socket: the secret of the recovery
    /// says who the client is.
    pub fn set_user(&self, user: User) {
        self.choices.lock().user = Some(user);
    }

    /// Makes the socket join a room when the client is admitted, before its connection handlers run. `bad-payload` if
    /// the room's name is not valid.
    pub fn join(&self, room: &str) -> Result<()> {
        let room = Room::of_application(room, self.has_chat).map_err(Error::BadPayload)?;
        self.choices.lock().rooms.push(room);
        Ok(())
    }

    /// The socket's data, and the choices of all connect middleware.
    pub(super) fn into_choices(self) -> (Arc<SocketData>, Choices) {
        let choices = std::mem::take(&mut *self.choices.lock());
        (self.data, choices)
    }
}

impl Entrant {
    pub(super) fn new(
        app: &App,
        identity: &Identity,
        inner: &Socket,
        parent: Option<Arc<Parent>>,
        handshake: Handshake,
    ) -> Self {
        Self {
            server: app.handle.clone(),
            user: identity.user.clone(),
            namespace: inner.namespace.clone(),
            // Fails only if the client sent no `auth`: the engine has already refused invalid JSON.
            auth: input::read(handshake.sent_auth(), "auth").unwrap_or_default(),
            handshake,
            data: Arc::default(),
            parent,
            choices: Arc::default(),
            has_chat: !app.is_bare(),
        }
    }
}

/// The refusal of a client: the message and the `data` of its `connect_error`.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// `err.message`
    pub message: String,
    /// `err.data`
    pub data: Option<Json>,
    /// The error code: the label of the refusal in the metrics.
    pub(super) code: Code,
}

impl Refusal {
    /// A refusal with this message. Without `data`, the client's `connect_error` has no `data`, as after
    /// `next(new Error(message))` in Node's middleware.
    pub fn new(message: impl Into<String>, data: impl Into<Option<Json>>) -> Self {
        Self { message: message.into(), data: data.into(), code: Code::Forbidden }
    }

    /// There is no namespace of the path that the client asked for.
    pub(super) fn no_namespace() -> Self {
        Self { message: "Invalid namespace".to_owned(), data: None, code: Code::NotFound }
    }
}

/// A refusal without `data`, as `next(new Error(message))` in Node, so that `?` refuses with a text.
impl From<&str> for Refusal {
    fn from(message: &str) -> Self {
        Self::new(message, None)
    }
}

/// A refusal without `data`, as `next(new Error(message))` in Node, so that `?` refuses with a text.
impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::new(message, None)
    }
}

/// The message is the error code, since clients of Engine.IO 3 receive only the message.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = error.code();
        let data = json!(Failure::of(&error));
        Self { message: error.wire_code().into_owned(), data: Some(data), code }
    }
}
