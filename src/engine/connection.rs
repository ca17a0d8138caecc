//! One client's connection: a session of Engine.IO, over long polling or a WebSocket, or a plain WebSocket. It ends
//! when its transport ends. The sockets of its client may outlive it.
//!
//! This file holds the state. The files below hold the methods: [`send`] (packets to the client), [`incoming`] and
//! [`dispatch`] (packets from the client), [`intake`] (whether the next packet may be read), [`sockets`] (the
//! namespaces that the client joined), [`clock`] and [`deadlines`] (pings and timeouts), [`poll`] and [`upgrading`]
//! (long polling, and the upgrade to a WebSocket), [`end`] (all ways in which it ends), and [`mistake`] (the log line
//! about a client that violated the protocol).

pub(super) mod clock;
pub(super) mod deadlines;
mod dispatch;
pub(super) mod end;
pub(super) mod incoming;
pub(super) mod intake;
mod mistake;
mod poll;
mod send;
mod sockets;
mod upgrading;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize},
    },
    time::Instant,
};

use self::deadlines::ConnectionDeadlines;
use super::{
    assembly::Assembly,
    client_socket::ClientSocket,
    memory::{ConnectionCount, ReceivedBytes, ReceivedCharge},
    opening_request::OpeningRequest,
    output::{Output, Transport},
    packet_rate::PacketRate,
    shared::Shared,
    version::Protocol,
    wire::Wire,
};
use crate::{
    limits::PendingSeat,
    sync::{Mutex, MutexGuard},
};

/// The methods that a connection calls on its engine.
pub(super) trait Host: Send + Sync {
    /// Decides on a CONNECT. `auth` is JSON, or empty.
    fn connect(&self, connection: &Arc<Connection>, namespace: &str, auth: &str);

    /// Removes the connection of this `sid`, which has ended. From now on requests with this `sid` are refused.
    fn remove(&self, sid: &str);
}

/// A session of Engine.IO, or a plain WebSocket.
pub(crate) struct Connection {
    /// The session id. It must stay secret, because it authenticates the client's requests.
    pub(super) sid: String,
    pub(super) protocol: Protocol,
    pub(super) request: OpeningRequest,
    pub(super) shared: Arc<Shared>,
    host: Arc<dyn Host>,
    output: Mutex<Output>,
    /// The packet that is being received. Its lock is held while a packet is processed, so that the packets of a client
    /// are processed one after the other.
    assembly: Mutex<Assembly>,
    state: Mutex<State>,
    /// The memory of incomplete messages and unanswered events.
    pub(super) received: Arc<ReceivedBytes>,
    rate: PacketRate,
    /// The number of CONNECTs that are neither accepted nor refused yet.
    undecided_connects: AtomicUsize,
    /// Counts the connection in the account while the connection exists.
    _count: ConnectionCount,
    /// The charge for a long head of the request. Its sockets keep the head, and so the charge.
    pub(super) head_charge: Option<Arc<ReceivedCharge>>,
    /// Whether a POST is being read.
    pub(super) is_posting: AtomicBool,
    pub(super) wire: Wire,
}

struct State {
    /// One socket for each namespace that the client has joined or has sent a CONNECT for. Most clients have one.
    sockets: Vec<Arc<dyn ClientSocket>>,
    deadlines: ConnectionDeadlines,
    /// Counts the connection among those that have joined no namespace, until it joins one.
    waiting: Option<PendingSeat>,
    is_closed: bool,
}

impl Connection {
    /// Creates a connection. The caller adds it to `Connections`, and then calls [`Self::watch_clock`].
    pub(super) fn new(
        shared: &Arc<Shared>,
        host: Arc<dyn Host>,
        sid: String,
        request: OpeningRequest,
        transport: Transport,
        waiting: PendingSeat,
    ) -> Arc<Self> {
        let protocol = request.protocol;
        let deadlines = ConnectionDeadlines::new(protocol, &shared.settings, Instant::now());
        let received = ReceivedBytes::new(&shared.account);
        let head_charge = ReceivedCharge::handshake(&received, request.head.len()).map(Arc::from);
        Arc::new(Self {
            sid,
            protocol,
            request,
            shared: shared.clone(),
            host,
            output: Mutex::new(Output::new(protocol, transport, &shared.account)),
            assembly: Mutex::default(),
            state: Mutex::new(State { sockets: Vec::new(), deadlines, waiting: Some(waiting), is_closed: false }),
            rate: PacketRate::default(),
            undecided_connects: AtomicUsize::new(0),
            _count: ConnectionCount::new(&shared.account),
            head_charge,
            received,
            is_posting: AtomicBool::new(false),
            wire: Wire::new(protocol),
        })
    }

    /// Locks the output.
    pub(super) fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock()
    }

    fn assembly(&self) -> MutexGuard<'_, Assembly> {
        self.assembly.lock()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether the connection has ended. After its end, packets of the client are ignored.
    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// The bytes of its input and of its unsent output.
    pub(super) fn held(&self) -> usize {
        self.received.bytes() + self.output().bytes()
    }
}
