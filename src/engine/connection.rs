//! One client's connection: a session of Engine.IO, over long polling or a WebSocket, or a plain WebSocket. It ends
//! with the network; the sockets of its client may outlive it.
//!
//! This file has the state. What is done with it is below: [`send`], [`incoming`] and [`dispatch`] (packets out and
//! in), [`intake`] (whether the next packet may be read), [`sockets`] (the namespaces that the client joined),
//! [`clock`] (pings and deadlines), [`poll`] and [`upgrading`] (long polling, and the upgrade to a WebSocket), [`end`],
//! and [`mistake`] (the log line about a client that broke the protocol).

pub(super) mod clock;
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

use super::{
    assembly::Assembly,
    client_socket::ClientSocket,
    handshake::Handshake,
    heartbeat::Beat,
    memory::{Received, ReceivedCharge, Share},
    output::{Output, Transport},
    packet_rate::PacketRate,
    shared::Shared,
    version::Protocol,
    wire::Wire,
};
use crate::{
    limits::Waiting,
    sync::{Mutex, MutexGuard},
};

/// What a connection calls on the engine, which holds it.
pub(super) trait Host: Send + Sync {
    /// CONNECT has arrived, with `auth` as JSON, or empty.
    fn connect(&self, connection: &Arc<Connection>, namespace: &str, auth: &str);

    /// The connection of this `sid` has ended: requests that name it are refused from now on.
    fn remove(&self, sid: &str);
}

/// A session of Engine.IO, or a plain WebSocket.
pub(crate) struct Connection {
    /// The session's id: a secret of the client's.
    pub(super) sid: String,
    pub(super) protocol: Protocol,
    pub(super) handshake: Handshake,
    pub(super) shared: Arc<Shared>,
    host: Arc<dyn Host>,
    output: Mutex<Output>,
    /// Its lock is held while a packet is processed, so that the packets of a client are processed one after the other.
    assembly: Mutex<Assembly>,
    state: Mutex<State>,
    /// The memory that its input holds.
    pub(super) received: Arc<Received>,
    rate: PacketRate,
    /// How many of its CONNECTs are undecided.
    admissions: AtomicUsize,
    /// Its share of the memory and of the output of all connections.
    _share: Share,
    /// For a long query or Authorization header.
    _handshake_charge: Option<Box<ReceivedCharge>>,
    /// Whether a POST is being read.
    pub(super) is_posting: AtomicBool,
    pub(super) wire: Wire,
}

struct State {
    /// One for each namespace that the client joined or wants to join. Most clients have one.
    sockets: Vec<Arc<dyn ClientSocket>>,
    beat: Beat,
    /// Counts it as pending until a namespace is joined.
    waiting: Option<Waiting>,
    is_closed: bool,
}

impl Connection {
    /// The caller makes it known under its `sid`, and then calls [`Self::watch_clock`].
    pub(super) fn new(
        shared: &Arc<Shared>,
        host: Arc<dyn Host>,
        sid: String,
        handshake: Handshake,
        transport: Transport,
        waiting: Waiting,
    ) -> Arc<Self> {
        let protocol = handshake.protocol;
        let beat = Beat::new(protocol, &shared.settings, Instant::now());
        let received = Received::new(&shared.account);
        let bytes = handshake.query.len() + handshake.authorization.as_ref().map_or(0, String::len);
        Arc::new(Self {
            sid,
            protocol,
            handshake,
            shared: shared.clone(),
            host,
            output: Mutex::new(Output::new(protocol, transport, &shared.account)),
            assembly: Mutex::default(),
            state: Mutex::new(State { sockets: Vec::new(), beat, waiting: Some(waiting), is_closed: false }),
            rate: PacketRate::default(),
            admissions: AtomicUsize::new(0),
            _share: Share::new(&shared.account),
            _handshake_charge: ReceivedCharge::handshake(&received, bytes),
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

    /// Whether it has ended: nothing that the client sends counts any more.
    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Bytes that it holds: its input, and its output in full.
    pub(super) fn held(&self) -> usize {
        self.received.bytes() + self.output().bytes()
    }
}
