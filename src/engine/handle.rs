//! The engine as HTTP and the layers above hold it.

use std::sync::Arc;

use super::{
    away::AwaySockets,
    connect,
    connection::{Connection, Host},
    connections::Connections,
    engine_side::EngineSide,
    flush::PendingFlush,
    handshake::Handshake,
    library::{Library, LibrarySession},
    memory::{Account, Kind},
    offset::Offsets,
    output::Transport,
    settings::Settings,
    shared::Shared,
    socket::Socket,
};
use crate::{
    config::LimitsConfig,
    limits::{Limits, Waiting},
    metrics::Metrics,
};

/// All connections and sockets, and what they share.
pub(crate) struct Engine {
    pub(super) shared: Arc<Shared>,
    pub(super) connections: Connections,
    pub(super) away: Arc<AwaySockets<Socket>>,
}

impl Engine {
    /// Without connections. [`Self::open`] must be called before the server listens, and [`Self::run`] once.
    pub(crate) fn new(settings: Settings, account: &Arc<Account>, limits: Arc<Limits>, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            away: Arc::new(AwaySockets::new(settings.recovery.clone(), metrics.clone())),
            shared: Shared::new(settings, account, limits, metrics),
            connections: Connections::default(),
        })
    }

    /// Sets the library and its namespaces: the library's name of each by its path. Paths are written as matchit writes
    /// them: `/orders-{id}` matches many namespaces.
    pub(crate) fn open(&self, library: Library, namespaces: matchit::Router<String>) {
        self.shared.open(library, namespaces);
    }

    /// Replaces the bounds that may change while the server runs. Open WebSockets keep their maximal message size.
    pub(crate) fn rebound(&self, limits: &LimitsConfig) {
        self.shared.rebound(limits);
    }

    /// Maximal attachments of one packet (`limits.attachments`).
    pub(crate) fn attachments_max(&self) -> usize {
        self.shared.settings.attachments.get()
    }

    /// Numbers events for recovery; `None` where recovery is off.
    pub(crate) fn offsets(&self) -> Option<&Offsets> {
        self.shared.settings.recovery.is_on().then_some(&self.shared.offsets)
    }

    /// Collects the connections that one call pushes to. See [`PendingFlush`].
    pub(crate) fn pending_flush(&self) -> PendingFlush<'_> {
        PendingFlush::new(&self.shared.flushers)
    }

    /// Sets the gauges of unsent bytes and of memory.
    pub(crate) fn measure(&self) {
        let Shared { account, metrics, .. } = &*self.shared;
        let connections = self.connections.all();
        let largest = connections.iter().map(|connection| connection.output().bytes()).max().unwrap_or(0);
        metrics.queued_bytes.set(account.held(Kind::Output) as f64);
        metrics.queued_bytes_largest.set(largest as f64);
        for (kind, bytes) in account.by_kind() {
            metrics.holds(kind.as_str(), bytes);
        }
    }

    /// Adds a connection for a handshake that was accepted.
    pub(super) fn add_connection(
        self: &Arc<Self>,
        sid: String,
        handshake: Handshake,
        transport: Transport,
        waiting: Waiting,
    ) -> Arc<Connection> {
        let connection = Connection::new(&self.shared, self.clone(), sid, handshake, transport, waiting);
        self.connections.add(&connection);
        connection.watch_clock();
        connection
    }

    /// Has a client of Engine.IO 3 join the root namespace, as it expects without a CONNECT, through a session of the
    /// library that is open already.
    pub(super) fn join_root(&self, connection: &Arc<Connection>, session: LibrarySession, engine_side: &EngineSide) {
        if let Some(route) = self.shared.route("/") {
            connect::join(connection, &self.away, session, engine_side, "/", route, "");
        }
    }
}

impl Host for Engine {
    fn connect(&self, connection: &Arc<Connection>, namespace: &str, auth: &str) {
        connect::connect(connection, &self.away, namespace, auth);
    }

    fn remove(&self, sid: &str) {
        self.connections.remove(sid);
    }
}
