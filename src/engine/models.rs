//! Clients for the models of threads, here and in the layers above. They use polling, so that no network is needed.

use std::{
    future::poll_fn,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::{
    application::{Application, IncomingEvent, NotAnEvent},
    connection::Connection,
    flush::PendingFlush,
    frame::Frame,
    handle::Engine,
    handshake::Handshake,
    library::{Library, LibrarySession},
    memory::Account,
    opening_request::OpeningRequest,
    output::{PollState, PushResult, Transport, UpgradeState},
    reason::DisconnectReason,
    recoverable_sockets::RecoverableSockets,
    request_head::RequestHead,
    socket::Socket,
    version::Protocol,
};
use crate::{
    app::settings,
    config::Config,
    limits::Limits,
    metrics::Metrics,
    model::{Room, SocketData, SocketId, User, UserId},
    restart::SavedMember,
};

/// An engine without connections and without bounds.
pub(crate) fn engine() -> Arc<Engine> {
    let config = Config::default();
    let limits = Limits::new(config.limits.clone(), Metrics::off());
    let engine = Engine::new(settings(&config), &Account::unbounded(), limits, Metrics::off());
    engine.open(library(), Box::new(|_| true));
    engine
}

/// A library that opens sessions. It calls no connect handlers.
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
    recoverable: Arc<RecoverableSockets<Socket>>,
}

impl Client {
    /// A client whose CONNECT is undecided.
    pub(crate) fn new(engine: &Arc<Engine>, name: &str) -> Self {
        let user = User::new(UserId::parse(name).unwrap(), name).unwrap();
        let request = OpeningRequest::of(Protocol::V4, &RequestHead::of(&http::Request::new(()), None, false));
        let transport = Transport::Polling { poll: PollState::None, upgrade: UpgradeState::None };
        let waiting = engine.shared.limits.seat_pending(None).unwrap();
        let connection = engine.add_connection(name.to_owned(), request, transport, waiting);
        let socket = join(&connection, &engine.recoverable, "/");
        Self { user, socket, connection, recoverable: engine.recoverable.clone() }
    }

    /// Sends CONNECT for another namespace, which stays undecided.
    pub(crate) fn join(&self, namespace: &str) -> Arc<Socket> {
        join(&self.connection, &self.recoverable, namespace)
    }

    /// Accepts the CONNECT of the client's first socket. See [`Socket::connected`].
    pub(crate) fn connected(&self) -> bool {
        self.accept(&self.socket)
    }

    /// Accepts the CONNECT of a socket.
    pub(crate) fn accept(&self, socket: &Arc<Socket>) -> bool {
        let mut pending = PendingFlush::new(&self.connection.shared.flushers);
        socket.connected(Arc::new(IdleApplication(self.user.id.clone())), &mut pending)
    }

    /// Aborts the connection.
    pub(crate) fn lose(&self) {
        self.connection.abort(DisconnectReason::TransportClose);
    }

    /// Pushes a frame to the client's connection. True if the output accepted the frame.
    pub(in crate::engine) fn send(&self, frame: &Arc<Frame>) -> bool {
        let mut pending = PendingFlush::new(&self.connection.shared.flushers);
        matches!(self.connection.push(frame, false, &mut pending), PushResult::Queued | PushResult::Schedule)
    }

    /// Ends the client's connection.
    pub(in crate::engine) fn end(&self, reason: DisconnectReason) {
        self.connection.end(reason, None);
    }

    /// Polls once and waits for packets, as `polling::get` does.
    pub(in crate::engine) async fn get(&self) -> Vec<String> {
        if let Transport::Polling { poll, .. } = self.connection.output().transport() {
            *poll = PollState::Waiting(None);
        }
        let payload = poll_fn(|cx| self.connection.poll_payload(cx)).await.expect("it polls");
        payload.split('\x1e').map(str::to_owned).collect()
    }

    /// Fetches the packets that are unsent, without waiting.
    pub(crate) fn fetch(&self) -> Vec<String> {
        let mut packets = Vec::new();
        while let Poll::Ready(Some(payload)) = self.connection.poll_payload(&Context::from_waker(Waker::noop())) {
            packets.extend(payload.split('\x1e').map(str::to_owned));
        }
        packets
    }
}

fn join(connection: &Arc<Connection>, recoverable: &Arc<RecoverableSockets<Socket>>, namespace: &str) -> Arc<Socket> {
    let session = LibrarySession::open(connection.shared.library(), ()).unwrap();
    let socket = Socket::new(connection, recoverable, session, namespace, "");
    assert!(connection.add_socket(&socket));
    socket
}

/// An application that does nothing, for a socket of this user.
struct IdleApplication(UserId);

impl Application for IdleApplication {
    fn data(&self) -> &Arc<SocketData> {
        static DATA: LazyLock<Arc<SocketData>> = LazyLock::new(Arc::default);
        &DATA
    }

    fn receive(self: Arc<Self>, _: IncomingEvent<'_>) -> Result<(), NotAnEvent> {
        Ok(())
    }

    fn readmit(&self, _: &Handshake) -> bool {
        true
    }

    fn take_seat(&self, _: &Handshake) -> bool {
        true
    }

    fn leave_seat(&self) {}

    fn away_changed(self: Arc<Self>) {}

    fn ended(self: Arc<Self>, _: DisconnectReason) {}

    fn user(&self) -> UserId {
        self.0.clone()
    }

    fn may_enter(&self, _: &Room) -> bool {
        true
    }

    fn is_away(&self) -> bool {
        false
    }

    fn saved(&self) -> Option<SavedMember> {
        Some(SavedMember::default())
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn has_event(&self, _: &str) -> bool {
        false
    }

    fn acknowledge_register(self: Arc<Self>, _: u64) {}

    fn run_in_queue(self: Arc<Self>, then: Box<dyn FnOnce() + Send>) {
        then();
    }
}
