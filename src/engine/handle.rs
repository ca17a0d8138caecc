//! [`Engine`]: the handle through which the layers above use all connections and sockets.

use std::sync::Arc;

use super::{
    connect,
    connection::{Connection, Host},
    connections::Connections,
    engine_side::EngineSide,
    flush::PendingFlush,
    hooks::Hooks,
    library::{Library, LibrarySession},
    memory::{Account, MemoryKind},
    offset::Offsets,
    opening_request::OpeningRequest,
    output::Transport,
    recoverable_sockets::RecoverableSockets,
    settings::Settings,
    shared::{Knows, Shared},
    socket::{Socket, SuspendedSocket},
};
use crate::{
    config::LimitsConfig,
    limits::{Limits, PendingSeat},
    metrics::Metrics,
    observer::Observers,
};

/// All connections and sockets, and what they share.
pub(crate) struct Engine {
    pub(super) shared: Arc<Shared>,
    pub(super) connections: Connections,
    pub(super) recoverable: Arc<RecoverableSockets<Socket>>,
}

impl Engine {
    /// Creates an engine without connections. Call [`Self::open`] before the server listens, and [`Self::run`] once.
    pub(crate) fn new(settings: Settings, account: &Arc<Account>, limits: Arc<Limits>, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            recoverable: Arc::new(RecoverableSockets::new(settings.recovery.clone(), metrics.clone())),
            shared: Shared::new(settings, account, limits, metrics),
            connections: Connections::default(),
        })
    }

    /// Sets the library, which decides on CONNECT. `knows` returns whether clients may ask for a namespace; a CONNECT
    /// for any other namespace is refused without a call to the library.
    pub(crate) fn open(&self, library: Library, knows: Knows) {
        self.shared.open(library, knows);
    }

    /// Sets the observers, before the server listens.
    pub(crate) fn observe(&self, observers: Observers) {
        self.shared.observe(observers);
    }

    /// The observers, if there are any.
    pub(crate) fn observers(&self) -> Option<&Observers> {
        self.shared.observers()
    }

    /// Sets the application's hooks for requests, before the server listens.
    pub(crate) fn hook(&self, hooks: Hooks) {
        self.shared.hook(hooks);
    }

    /// The server begins to close: clients that ask for a namespace from now on are told to connect again.
    pub(crate) fn begin_close(&self) {
        self.shared.begin_close();
    }

    /// Whether the application is asked before a connection is opened.
    pub(crate) fn is_application_asked(&self) -> bool {
        self.shared.hooks().allow_request.is_some()
    }

    /// Replaces the bounds that may change while the server runs. Open WebSockets keep their maximal message size.
    pub(crate) fn set_limits(&self, limits: &LimitsConfig) {
        self.shared.set_limits(limits);
    }

    /// Maximal attachments of one packet (`limits.attachments`).
    pub(crate) fn attachments_max(&self) -> usize {
        self.shared.settings.attachments.get()
    }

    /// The generator of event offsets. `None` if recovery is off.
    pub(crate) fn offsets(&self) -> Option<&Offsets> {
        self.shared.settings.recovery.is_on().then_some(&self.shared.offsets)
    }

    /// The tag of the offsets, and the number of the next event.
    pub(crate) fn offsets_so_far(&self) -> (String, u64) {
        (self.shared.offsets.tag().to_owned(), self.shared.offsets.peek())
    }

    /// Goes on with the offsets of an earlier process. Must be called before the first event is sent.
    pub(crate) fn resume_offsets(&self, tag: String, next: u64) {
        self.shared.offsets.resume(tag, next);
    }

    /// Creates the socket of an earlier process, which is closed until [`Socket::await_client`] is called.
    pub(crate) fn restored(&self, suspended: &SuspendedSocket) -> Arc<Socket> {
        Socket::restored(suspended, &self.shared, &self.recoverable)
    }

    /// Whether clients can recover sockets at all.
    pub(crate) fn is_recovery_on(&self) -> bool {
        self.shared.settings.recovery.is_on()
    }

    /// Creates a [`PendingFlush`] for one call.
    pub(crate) fn pending_flush(&self) -> PendingFlush<'_> {
        PendingFlush::new(&self.shared.flushers)
    }

    /// Sets the gauges of unsent bytes and of memory.
    pub(crate) fn measure(&self) {
        let Shared { account, metrics, .. } = &*self.shared;
        let connections = self.connections.all();
        let largest = connections.iter().map(|connection| connection.output().bytes()).max().unwrap_or(0);
        metrics.queued_bytes.set(account.held(MemoryKind::Output) as f64);
        metrics.queued_bytes_largest.set(largest as f64);
        for (kind, bytes) in account.by_kind() {
            metrics.holds(kind.as_str(), bytes);
        }
    }

    /// Adds a connection for an accepted handshake.
    pub(super) fn add_connection(
        self: &Arc<Self>,
        sid: String,
        request: OpeningRequest,
        transport: Transport,
        waiting: PendingSeat,
    ) -> Arc<Connection> {
        let connection = Connection::new(&self.shared, self.clone(), sid, request, transport, waiting);
        self.connections.add(&connection);
        connection.watch_clock();
        connection
    }

    /// Joins a client of Engine.IO 3 to the root namespace, through an open session of the library. These clients send
    /// no CONNECT for it.
    pub(super) fn join_root(&self, connection: &Arc<Connection>, session: LibrarySession, engine_side: &EngineSide) {
        connect::join(connection, &self.recoverable, session, engine_side, "/", "");
    }
}

impl Host for Engine {
    fn connect(&self, connection: &Arc<Connection>, namespace: &str, auth: &str) {
        connect::connect(connection, &self.recoverable, namespace, auth);
    }

    fn remove(&self, sid: &str) {
        self.connections.remove(sid);
    }
}
