//! `Observer`: tells an application about its rooms and connections, as the events of Node's adapter and engine do.

use std::{
    fmt,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
};

use http::{HeaderMap, Method, Request, Uri};

use crate::model::SocketId;

/// Receives what happens to rooms and connections: see [`Server::observe`](crate::Server::observe). By default, each
/// method does nothing.
///
/// The methods are called directly, not in a task of their own, and while no lock is held, so that they may use
/// [`Io`](crate::Io). They must not block: spawn a task for work that takes time. A panic in a method is logged.
///
/// ```
/// use sockeye::{Config, ConnectionError, Observer, Server, SocketId};
///
/// struct Log;
///
/// impl Observer for Log {
///     fn room_created(&self, namespace: &str, room: &str) {
///         println!("{namespace}: {room} has its first socket");
///     }
///
///     fn connection_error(&self, error: &ConnectionError<'_>) {
///         println!("refused: {} {}", error.code, error.message);
///     }
/// }
///
/// let server = Server::bare(Config::bare()).observe(Log);
/// ```
#[expect(unused_variables, reason = "the defaults do nothing")]
pub trait Observer: Send + Sync + 'static {
    /// A room has got its first socket: Node's `create-room`. The changes of all rooms of a namespace are reported in
    /// the order in which they happen. Unlike in Node, the room that every socket has under its own id is not reported.
    fn room_created(&self, namespace: &str, room: &str) {}

    /// A socket has joined a room: Node's `join-room`.
    fn room_joined(&self, namespace: &str, room: &str, socket: SocketId) {}

    /// A socket has left a room, or has disconnected while it was in the room: Node's `leave-room`.
    fn room_left(&self, namespace: &str, room: &str, socket: SocketId) {}

    /// A room's last socket has left it: Node's `delete-room`.
    fn room_deleted(&self, namespace: &str, room: &str) {}

    /// A request under the path of Socket.IO, or the handshake of a plain WebSocket, is refused: Node's
    /// `connection_error`.
    fn connection_error(&self, error: &ConnectionError<'_>) {}

    /// A connection has moved from long polling to a WebSocket: Node's `upgrade`. `sockets` are those of its client in
    /// all namespaces; none if the client has not joined a namespace yet.
    fn upgraded(&self, sockets: &[SocketId]) {}
}

/// Why a request is refused, and the request.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConnectionError<'a> {
    /// Engine.IO's code: 0 unknown transport, 1 unknown session, 2 wrong method of a handshake, 3 bad request,
    /// 4 forbidden, or not possible now, 5 unsupported version of the protocol.
    pub code: u8,
    /// Engine.IO's message, or sockeye's own. It is `Forbidden` where [`Server::allow_request`](crate::Server::allow_request)
    /// refuses, whose message only the client gets.
    pub message: &'a str,
    /// The request's method.
    pub method: &'a Method,
    /// The request's URI. Its query may hold a token.
    pub uri: &'a Uri,
    /// The request's headers. They may hold secrets.
    pub headers: &'a HeaderMap,
    /// The client's address.
    pub address: Option<IpAddr>,
}

/// The observers of a server.
#[derive(Default)]
pub(crate) struct Observers(Vec<Box<dyn Observer>>);

impl Observers {
    pub(crate) fn add(&mut self, observer: impl Observer) {
        self.0.push(Box::new(observer));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells all observers that a request is refused. The caller holds no locks.
    pub(crate) fn refused<B>(&self, request: &Request<B>, address: Option<IpAddr>, code: u8, message: &str) {
        let error = ConnectionError {
            code,
            message,
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            address,
        };
        self.tell(|observer| observer.connection_error(&error));
    }

    /// Tells all observers. The caller holds no locks.
    pub(crate) fn tell(&self, tell: impl Fn(&dyn Observer)) {
        for observer in &self.0 {
            if catch_unwind(AssertUnwindSafe(|| tell(&**observer))).is_err() {
                tracing::error!("an observer panicked");
            }
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observers").field(&self.0.len()).finish()
    }
}
