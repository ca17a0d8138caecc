//! Clients for the models of the layers above: they poll, so that no network is needed.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::{
    application::{Application, Arrival, NotAnEvent},
    away::AwaySockets,
    connection::Connection,
    flush::PendingFlush,
    frame::Frame,
    handle::Engine,
    handshake::Handshake,
    library::{Library, LibrarySession},
    memory::Account,
    output::{Pushed, Request, Transport, Upgrade},
    reason::DisconnectReason,
    socket::Socket,
    version::Protocol,
};
use crate::{
    app::settings,
    config::Config,
    limits::Limits,
    metrics::Metrics,
    model::{Room, SocketId, User, UserId},
};

/// An engine without connections, and without bounds.
pub(crate) fn engine() -> Arc<Engine> {
    let config = Config::default();
    let limits = Limits::new(config.limits.clone(), Metrics::off());
    let engine = Engine::new(settings(&config), &Account::unbounded(), limits, Metrics::off());
    engine.open(library(), matchit::Router::new());
    engine
}

/// A library that opens sessions and lets everybody in.
fn library() -> Library {
    Box::new(|_| {
        let open = format!(r#"0{{"sid":"{}"}}"#, SocketId::new());
        Box::pin(async move { Some(Bytes::from(open)) })
    })
}

/// A client with a socket in the root namespace.
pub(crate) struct Client {
    pub(crate) user: User,
    pub(crate) socket: Arc<Socket>,
    connection: Arc<Connection>,
    away: Arc<AwaySockets<Socket>>,
}

impl Client {
    /// A client whose CONNECT is undecided.
    pub(crate) fn new(engine: &Arc<Engine>, name: &str) -> Self {
        let user = User::new(UserId::parse(name).unwrap(), name).unwrap();
        let handshake = Handshake {
            protocol: Protocol::V4,
            query: String::new(),
            authorization: None,
            address: None,
            asked_recovery: None,
            is_recoverable: false,
            jsonp: None,
        };
        let transport = Transport::Polling { request: Request::None, upgrade: Upgrade::No };
        let waiting = engine.shared.limits.wait(None).unwrap();
        let connection = engine.add_connection(name.to_owned(), handshake, transport, waiting);
        let socket = join(&connection, &engine.away, "/");
        Self { user, socket, connection, away: engine.away.clone() }
    }

    /// Has it join another namespace: its CONNECT there is undecided.
    pub(crate) fn join(&self, namespace: &str) -> Arc<Socket> {
        join(&self.connection, &self.away, namespace)
    }

    /// Accepts the CONNECT of its first socket. See [`Socket::connected`].
    pub(crate) fn connected(&self) -> bool {
        self.accept(&self.socket)
    }

    /// Accepts the CONNECT of a socket.
    pub(crate) fn accept(&self, socket: &Arc<Socket>) -> bool {
        let mut pending = PendingFlush::new(&self.connection.shared.flushers);
        socket.connected(Arc::new(Idle(self.user.id.clone())), &mut pending)
    }

    /// Loses the connection.
    pub(crate) fn lose(&self) {
        self.connection.lose(DisconnectReason::TransportClose);
    }

    /// Pushes a frame to its connection. Whether it was accepted.
    pub(in crate::engine) fn send(&self, frame: &Arc<Frame>) -> bool {
        let mut pending = PendingFlush::new(&self.connection.shared.flushers);
        matches!(self.connection.push(frame, false, &mut pending), Pushed::Queued | Pushed::Schedule)
    }

    /// Ends its connection.
    pub(in crate::engine) fn end(&self, reason: DisconnectReason) {
        self.connection.end(reason, None);
    }

    /// Polls once, as `polling::get` does: waits for packets.
    pub(in crate::engine) async fn get(&self) -> Vec<String> {
        if let Transport::Polling { request, .. } = self.connection.output().transport() {
            *request = Request::Waiting(None);
        }
        let payload = poll_fn(|cx| self.connection.poll_payload(cx)).await.expect("it polls");
        payload.split('\x1e').map(str::to_owned).collect()
    }

    /// The packets of Socket.IO that it has not fetched yet.
    pub(crate) fn fetch(&self) -> Vec<String> {
        let mut packets = Vec::new();
        while let Poll::Ready(Some(payload)) = self.connection.poll_payload(&Context::from_waker(Waker::noop())) {
            packets.extend(payload.split('\x1e').map(str::to_owned));
        }
        packets
    }
}

fn join(connection: &Arc<Connection>, away: &Arc<AwaySockets<Socket>>, namespace: &str) -> Arc<Socket> {
    let session = LibrarySession::open(connection.shared.library(), ()).unwrap();
    let socket = Socket::new(connection, away, session, namespace, 0);
    assert!(connection.add_socket(&socket));
    socket
}

/// The application's side of a socket of this user, which does nothing.
struct Idle(UserId);

impl Application for Idle {
    fn receive(self: Arc<Self>, _: Arrival<'_>) -> Result<(), NotAnEvent> {
        Ok(())
    }

    fn readmit(&self, _: &Handshake, _: &str) -> bool {
        true
    }

    fn take_seat(&self, _: &Handshake) -> bool {
        true
    }

    fn leave_seat(&self) {}

    fn moved(self: Arc<Self>) {}

    fn ended(self: Arc<Self>, _: DisconnectReason) {}

    fn user(&self) -> UserId {
        self.0.clone()
    }

    fn may_hear(&self, _: &Room) -> bool {
        true
    }

    fn is_away(&self) -> bool {
        false
    }

    fn knows(&self, _: &str) -> bool {
        false
    }

    fn welcome(self: Arc<Self>, _: u64) {}

    fn in_turn(self: Arc<Self>, then: Box<dyn FnOnce() + Send>) {
        then();
    }
}
