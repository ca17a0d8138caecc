//! Socket.IO below the library: every client's byte stream, from the handshake to the last write.
//!
//! ```text
//! http ─ upgrade ─ reader ──┐                              ┌── the library, for CONNECT (library)
//!   └─── polling ───────────┴─ connection ─ assembly ─ socket ──┴── the layer above, for events (Application)
//!                               │                   │
//!                            output ──── frames ────┘
//! ```
//!
//! A `Connection` is a session of Engine.IO: its id is the client's secret, and it dies with the network. A `Socket`
//! is a socket of Socket.IO: a client in a namespace, with its log of events; it outlives connections. What leaves a
//! client is a `Frame`, framed once and shared by all who receive it; the lock of a connection's output is the order.
//!
//! Clients that speak no Socket.IO come in by `plain`, which stands in for `requests` and `assembly`: such a `Connection` is
//! a WebSocket and no more, its one `Socket` dies with it, and each `Frame` is rendered for all of them once.

mod ahead;
mod assembly;
mod away;
mod clients;
mod connect;
mod connection;
mod diagnosis;
mod fast_handshake;
mod flush;
mod frame;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod heartbeat;
mod hyper_handshake;
mod jsonp;
mod library;
mod offset;
mod opening;
mod output;
mod packet;
mod parameters;
mod payload;
mod plain;
mod polling;
mod pressure;
mod probe;
mod reader;
mod reason;
mod recovery_log;
mod refusal;
mod relief;
mod request_head;
mod requests;
mod socket;
mod timers;
mod upgrade;
mod verify;
mod websocket;
mod wire;

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use governor::DefaultDirectRateLimiter;
use parking_lot::{Mutex, MutexGuard};

pub(crate) use self::{
    ahead::{Ahead, HEAD_MAX},
    fast_handshake::accept_fast,
    flush::PendingFlush,
    frame::Frame,
    handshake::Handshake,
    library::{EngineSide, Library},
    parameters::{asks_for_jsonp, names_a_session},
    plain::Settings as PlainSettings,
    pressure::{Account, Charge, Kind, ReceivedCharge},
    reader::Reader,
    refusal::Refused,
    request_head::RequestHead,
    requests::serve,
    socket::{Answer, Application, Arrival, NotAnEvent, Socket},
    verify::{Verified, verify, verify_plain},
    websocket::asks_for_websocket,
};
pub use connection::TransportName;
pub use handshake::ClientAddress;
pub use reason::DisconnectReason;

use crate::{
    config::{LimitsConfig, RecoveryClients},
    limits::Limits,
    metrics::Metrics,
    supervise::Background,
};
use away::AwaySockets;
use connection::Connection;
use offset::Offsets;
use timers::Timers;
use websocket::opcode;

/// How many batches a drain has in a second, at the most.
const BATCHES_PER_SECOND: f64 = 20.0;
/// How long those who poll may take to fetch the goodbye of a drain.
const LAST_FETCHES: Duration = Duration::from_secs(1);
/// How often a drain looks whether all clients have gone.
const LOOK: Duration = Duration::from_millis(20);

/// The version of Engine.IO a client speaks, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Version 4: Socket.IO clients 3 and 4.
    V4,
    /// Version 3: Socket.IO clients 1 and 2.
    V3,
    /// None: plain WebSocket, which knows no polling.
    Plain,
}

/// What the engine has to know of the configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    /// Until a client must have joined a namespace.
    pub(crate) connect_timeout: Duration,
    /// Until a WebSocket that is tried must have been taken.
    pub(crate) upgrade_timeout: Duration,
    /// Whether clients of Engine.IO 3 are let in.
    pub(crate) allow_eio3: bool,
    /// Bytes of one message, one request and one payload.
    pub(crate) max_payload: Bound,
    /// Attachments of one packet.
    pub(crate) attachments: Bound,
    /// Bytes that may wait for one client.
    pub(crate) queued_bytes: Bound,
    pub(crate) recovery: Recovery,
    pub(crate) plain: PlainSettings,
}

/// A bound that may change while the server runs.
#[derive(Debug)]
pub(crate) struct Bound(AtomicUsize);

impl Bound {
    /// A limit of the configuration; 0 means none.
    pub(crate) fn new(limit: usize) -> Self {
        Self(AtomicUsize::new(LimitsConfig::or_none(limit)))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, limit: usize) {
        self.0.store(LimitsConfig::or_none(limit), Ordering::Relaxed);
    }
}

/// How long and how much is kept for clients that went.
#[derive(Debug, Clone)]
pub(crate) struct Recovery {
    /// How long a client may stay away; zero: nothing is kept.
    pub(crate) window: Duration,
    /// Whose sockets are kept, of clients that do not say it themselves.
    pub(crate) clients: RecoveryClients,
    /// Events of one socket.
    pub(crate) events: usize,
    /// Their bytes.
    pub(crate) bytes: usize,
    /// Sockets of one user that are away.
    pub(crate) sockets_per_user: usize,
    /// Sockets that are away.
    pub(crate) sockets: usize,
}

impl Recovery {
    fn is_on(&self) -> bool {
        !self.window.is_zero()
    }
}

/// All connections and sockets, and what they share.
pub(crate) struct Engine {
    settings: Settings,
    metrics: Metrics,
    limits: Arc<Limits>,
    library: OnceLock<Library>,
    namespaces: OnceLock<matchit::Router<String>>,
    connections: Mutex<HashMap<String, Arc<Connection>>>,
    away: AwaySockets,
    offsets: Offsets,
    timers: Timers,
    flushers: flush::Flushers,
    account: Arc<Account>,
    /// Lines about connections that are closed for what they sent.
    mistake_lines: DefaultDirectRateLimiter,
    ping: Arc<Frame>,
    pong: Arc<Frame>,
    noop: Arc<Frame>,
    close: Arc<Frame>,
    /// Of WebSocket itself.
    plain_ping: Arc<Frame>,
}

impl Engine {
    pub(crate) fn new(settings: Settings, account: &Arc<Account>, limits: Arc<Limits>, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            away: AwaySockets::new(settings.recovery.clone(), metrics.clone()),
            settings,
            metrics,
            limits,
            library: OnceLock::new(),
            namespaces: OnceLock::new(),
            connections: Mutex::default(),
            offsets: Offsets::new(),
            timers: Timers::new(),
            flushers: flush::Flushers::new(),
            account: account.clone(),
            mistake_lines: diagnosis::lines(),
            ping: Frame::engine("2"),
            pong: Frame::engine("3"),
            noop: Frame::engine("6"),
            close: Frame::engine("1"),
            plain_ping: Frame::control(opcode::PING, &[]),
        })
    }

    /// From now on these bounds; WebSockets that are open keep theirs of one message.
    pub(crate) fn rebound(&self, limits: &LimitsConfig) {
        self.settings.max_payload.set(limits.payload_bytes);
        self.settings.attachments.set(limits.attachments);
        self.settings.queued_bytes.set(limits.queued_bytes);
        self.account.rebound(limits);
    }

    /// Starts what runs in the background.
    pub(crate) fn run(self: &Arc<Self>, background: &mut Background) {
        flush::Flushers::run(self, background);
        background.spawn("clock", {
            let engine = self.clone();
            async move { engine.timers.run().await }
        });
        background.spawn("relief", {
            let engine = self.clone();
            async move { engine.relieve().await }
        });
        background.spawn("memory", {
            let engine = self.clone();
            async move { engine.give_back().await }
        });
    }

    /// The library with its namespaces: paths as matchit writes them, `/orders-{id}` standing for many.
    pub(crate) fn open(&self, library: Library, namespaces: matchit::Router<String>) {
        let is_first = self.library.set(library).is_ok() && self.namespaces.set(namespaces).is_ok();
        assert!(is_first, "the engine is opened once");
    }

    fn library(&self) -> &Library {
        self.library.get().expect("the engine is opened before the server listens")
    }

    /// What the library calls a namespace; `None` where there is none of this path.
    fn route(&self, namespace: &str) -> Option<&str> {
        let namespaces = self.namespaces.get()?;
        namespaces.at(namespace).ok().map(|found| found.value.as_str())
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<String, Arc<Connection>>> {
        self.connections.lock()
    }

    /// All connections there are now; the lock is not held afterwards.
    fn all_connections(&self) -> Vec<Arc<Connection>> {
        self.connections().values().cloned().collect()
    }

    fn connection(&self, sid: &str) -> Option<Arc<Connection>> {
        self.connections().get(sid).cloned()
    }

    fn add_connection(&self, connection: &Arc<Connection>) {
        self.connections().insert(connection.sid.clone(), connection.clone());
    }

    fn remove_connection(&self, sid: &str) {
        self.connections().remove(sid);
    }

    /// Attachments of one packet, at the most.
    pub(crate) fn attachments_max(&self) -> usize {
        self.settings.attachments.get()
    }

    /// Where the numbers of events come from; `None` where clients are told none.
    pub(crate) fn offsets(&self) -> Option<&Offsets> {
        self.settings.recovery.is_on().then_some(&self.offsets)
    }

    /// A place for the connections that something is pushed to.
    pub(crate) fn pending_flush(&self) -> PendingFlush<'_> {
        PendingFlush::new(self)
    }

    /// Sets the gauges of what waits.
    pub(crate) fn measure(&self) {
        let connections = self.all_connections();
        let largest = connections.iter().map(|connection| connection.output().bytes()).max().unwrap_or(0);
        self.metrics.queued_bytes.set(self.account.held(Kind::Output) as f64);
        self.metrics.queued_bytes_largest.set(largest as f64);
        for (kind, bytes) in self.account.by_kind() {
            self.metrics.holds(kind.as_str(), bytes);
        }
    }

    /// Drops all connections, in batches over this time, so that their clients do not all come back at once. Done
    /// sooner when all have gone by themselves.
    pub(crate) async fn drop_connections(&self, over: Duration) {
        let connections = self.all_connections();
        let most_batches = (over.as_secs_f64() * BATCHES_PER_SECOND).max(1.0) as usize;
        let batches = connections.chunks(connections.len().div_ceil(most_batches).max(1));
        let pause = over.div_f64(batches.len().max(1) as f64);
        for batch in batches {
            let next = Instant::now() + pause;
            while Instant::now() < next && !self.connections().is_empty() {
                tokio::time::sleep(LOOK.min(next.saturating_duration_since(Instant::now()))).await;
            }
            for connection in batch {
                connection.end(DisconnectReason::ServerShuttingDown, None);
            }
        }
        // Those who poll have yet to fetch it, and those who are moving to a WebSocket to arrive there.
        let until = Instant::now() + LAST_FETCHES;
        while Instant::now() < until && !self.connections().is_empty() {
            // Of those that were accepted before, some have become connections only now.
            let late: Vec<_> =
                self.connections().values().filter(|connection| !connection.is_closed()).cloned().collect();
            late.iter().for_each(|connection| connection.end(DisconnectReason::ServerShuttingDown, None));
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends all sockets there still are, those of clients that may have come back among them.
    pub(crate) fn close(&self) {
        let connections = self.all_connections();
        for connection in connections {
            connection.lose(DisconnectReason::ServerShuttingDown);
        }
        for socket in self.away.all() {
            socket.finish(DisconnectReason::ServerShuttingDown);
        }
    }
}
