//! The handle of a running server: Node's `io`, from routes, tasks and tests.

use std::{any::type_name, fmt, sync::Arc, time::Duration};

use crate::{
    app::{App, AppHandle},
    error::Result,
    hub::{Broadcast, RemoteSocket, Target, Turn},
    model::SocketId,
    protocol::{FromArguments, Payload, ServerEvent},
};

/// The server, from anywhere: Node's `io`. Cheap to clone. [`Server::io`](crate::Server::io) makes it before the server
/// is open, so that routes and tasks can hold it; until then, and when the server has closed, nobody receives what it
/// emits. Its methods are those of the root namespace, `/`.
#[derive(Clone)]
pub struct Io {
    app: AppHandle,
    /// The event whose handler made this handle.
    turn: Option<Arc<dyn Turn>>,
}

impl Io {
    /// `turn`: see [`Broadcast::new`].
    pub(crate) fn new(app: AppHandle, turn: Option<Arc<dyn Turn>>) -> Self {
        Self { app, turn }
    }

    /// The namespace with this path, such as `/admin`.
    pub fn of(&self, path: &str) -> Namespace {
        Namespace::new(self.app.clone(), absolute(path).into(), self.turn.clone())
    }

    /// All namespaces that a pattern, such as `/orders-{id}`, or the function of this name has made: what is emitted to
    /// them goes to all that exist now. Node's parent namespace.
    pub fn of_pattern(&self, pattern: &str) -> Namespace {
        // A function's name is no path.
        let pattern = if pattern.contains('{') { absolute(pattern) } else { pattern.to_owned() };
        Namespace { app: self.app.clone(), path: pattern.into(), is_parent: true, turn: self.turn.clone() }
    }

    /// The paths of the namespaces that exist now, sorted. One that a pattern or function has made exists while it has
    /// sockets, and longer only with [`Server::cleanup_empty_child_namespaces`](crate::Server::cleanup_empty_child_namespaces)
    /// off.
    pub fn namespaces(&self) -> Vec<String> {
        self.app.get().map(|app| app.hubs.paths()).unwrap_or_default()
    }

    /// The server; `None` before it is open and after it has closed.
    pub(crate) fn app(&self) -> Option<Arc<App>> {
        self.app.get()
    }

    /// The number of sockets in all namespaces, also of those whose clients are away.
    pub fn socket_count(&self) -> usize {
        self.app.get().map_or(0, |app| app.socket_count())
    }

    /// The application's own settings of a type: see [`Server::section`](crate::Server::section). They are those of the
    /// last SIGHUP.
    ///
    /// # Panics
    ///
    /// If the server has no section of this type.
    pub fn settings<T: Send + Sync + 'static>(&self) -> Arc<T> {
        self.app.settings().unwrap_or_else(|| panic!("no section is a {}: see Server::section", type_name::<T>()))
    }

    /// All sockets of the root namespace, as the receivers of an event.
    pub fn everyone(&self) -> Broadcast {
        Broadcast::new(self.app.root(), self.turn.clone())
    }
}

/// A namespace of a server: Node's `io.of(path)`. Cheap to clone.
#[derive(Clone)]
pub struct Namespace {
    app: AppHandle,
    path: Arc<str>,
    /// Whether it is all namespaces of a pattern or function, whose name is the path.
    is_parent: bool,
    /// The event whose handler made this handle.
    turn: Option<Arc<dyn Turn>>,
}

impl Namespace {
    /// `turn`: see [`Broadcast::new`].
    pub(crate) fn new(app: AppHandle, path: Arc<str>, turn: Option<Arc<dyn Turn>>) -> Self {
        Self { app, path, is_parent: false, turn }
    }

    /// The path, such as `/admin`; for all namespaces of a pattern, the pattern.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// All sockets of the namespace, as the receivers of an event.
    pub fn everyone(&self) -> Broadcast {
        let app = self.app.get();
        if self.is_parent {
            let hubs = app.map(|app| app.hubs.children(&self.path)).unwrap_or_default();
            return Broadcast::of_all(hubs, self.turn.clone());
        }
        Broadcast::new(app.and_then(|app| app.hubs.get(&self.path)), self.turn.clone())
    }
}

/// A namespace's path, which begins with `/`.
pub(crate) fn absolute(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").finish_non_exhaustive()
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What [`Io`] and [`Namespace`] have in common: the beginning of a chain, or an emit to everyone.
macro_rules! emits {
    ($type:ident) => {
        impl $type {
            /// Begins a chain: see [`Broadcast::to`].
            pub fn to(&self, target: impl Into<Target>) -> Broadcast {
                self.everyone().to(target)
            }

            /// The same as [`Self::to`]; `in` is a keyword in Rust.
            pub fn in_room(&self, target: impl Into<Target>) -> Broadcast {
                self.to(target)
            }

            /// Begins a chain: see [`Broadcast::except`].
            pub fn except(&self, target: impl Into<Target>) -> Broadcast {
                self.everyone().except(target)
            }

            /// Begins a chain: see [`Broadcast::volatile`].
            pub fn volatile(&self) -> Broadcast {
                self.everyone().volatile()
            }

            /// Begins a chain: see [`Broadcast::local`].
            pub fn local(&self) -> Broadcast {
                self.everyone().local()
            }

            /// Begins a chain: see [`Broadcast::timeout`].
            pub fn timeout(&self, timeout: Duration) -> Broadcast {
                self.everyone().timeout(timeout)
            }

            /// Emits an event to everyone. Errors as with [`Broadcast::emit`].
            pub fn emit(&self, event: &str, payload: impl Payload) -> Result<()> {
                self.everyone().emit(event, payload)
            }

            /// Emits an event whose name is its payload type's. Errors as with [`Broadcast::emit`].
            pub fn emit_event<E: ServerEvent>(&self, event: &E) -> Result<()> {
                self.everyone().emit_event(event)
            }

            /// Emits an event to everyone and waits for the acknowledgements: see [`Broadcast::emit_with_ack`].
            pub async fn emit_with_ack<T: FromArguments>(
                &self,
                event: &str,
                payload: impl Payload,
            ) -> Result<Vec<(SocketId, Result<T>)>> {
                self.everyone().emit_with_ack(event, payload).await
            }

            /// The connected sockets.
            pub async fn fetch_sockets(&self) -> Vec<RemoteSocket> {
                self.everyone().fetch_sockets().await
            }

            /// Makes all sockets join a room. Errors as with [`Broadcast::sockets_join`].
            pub fn sockets_join(&self, room: &str) -> Result<()> {
                self.everyone().sockets_join(room)
            }

            /// Makes all sockets leave a room. Errors as with [`Broadcast::sockets_leave`].
            pub fn sockets_leave(&self, room: &str) -> Result<()> {
                self.everyone().sockets_leave(room)
            }

            /// Disconnects all sockets: see [`Broadcast::disconnect_sockets`].
            pub fn disconnect_sockets(&self, close: bool) {
                self.everyone().disconnect_sockets(close);
            }

            /// The names of the rooms that connected sockets are in, sorted.
            pub fn all_rooms(&self) -> Vec<String> {
                self.everyone().all_rooms()
            }
        }
    };
}

emits! { Io }
emits! { Namespace }
