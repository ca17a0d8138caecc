//! A socket of Socket.IO: one client in one namespace. It outlives its connection for as long as its client may recover
//! it.
//!
//! This file has the state. What is done with it is below: [`admission`] (the answer to CONNECT), [`deliver`] (what is
//! sent to its client), [`from_connection`] (what its connection tells it), [`recovery`] (its client goes away and
//! comes back), and [`finish`] (its end).

mod admission;
mod deliver;
mod finish;
mod from_connection;
pub(super) mod recovery;

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use rand::{Rng, distr::Alphanumeric};
use tokio::sync::oneshot;

use super::{
    application::{Answer, Application},
    away::AwaySockets,
    connection::Connection,
    handshake::Handshake,
    library::LibrarySession,
    memory::ReceivedCharge,
    output::TransportName,
    reason::DisconnectReason,
    recovery_log::RecoveryLog,
    replays::Replays,
    shared::Shared,
    timers::Ticket,
    version::Protocol,
};
use crate::{
    model::{SocketId, Timestamp},
    sync::{Mutex, MutexGuard},
};

/// Characters of a `pid` after the socket's id: 24 of 62 are 142 bits.
const PID_SECRET: usize = 24;

/// One client in one namespace.
pub(crate) struct Socket {
    /// As its client knows it too, except for clients of Engine.IO 3 outside of the root namespace.
    pub(crate) id: SocketId,
    /// The path of the namespace.
    pub(crate) namespace: Arc<str>,
    /// When its client sent CONNECT; a recovery does not change it.
    pub(crate) connected_at: Timestamp,
    shared: Arc<Shared>,
    away: Arc<AwaySockets<Self>>,
    protocol: Protocol,
    session: LibrarySession,
    /// The id by which a client of Engine.IO 3 knows it outside of the root namespace.
    legacy_id: Option<String>,
    /// The secret by which its client recovers it. `None` where the client cannot: then its events carry no offsets,
    /// and its log stays empty.
    pid: Option<String>,
    /// For a long `auth`, which the layer above keeps as long as the socket.
    _auth_charge: Option<Box<ReceivedCharge>>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    application: Option<Arc<dyn Application>>,
    log: RecoveryLog,
    replays: Replays,
    /// Those who wait for the client's acknowledgements, by the acknowledgement's id.
    asked: HashMap<u64, oneshot::Sender<Answer>>,
}

enum Phase {
    /// CONNECT has arrived and is undecided.
    Connecting(Arc<Connection>),
    Connected(Arc<Connection>),
    /// The connection was lost. The client may recover the socket until the timer of the ticket fires.
    Away {
        reason: DisconnectReason,
        until: Ticket,
    },
    Closed,
}

impl Socket {
    /// For a CONNECT that has arrived. The caller adds it to the connection.
    pub(super) fn new(
        connection: &Arc<Connection>,
        away: &Arc<AwaySockets<Self>>,
        session: LibrarySession,
        namespace: &str,
        auth_bytes: usize,
    ) -> Arc<Self> {
        let id = session.sid();
        let pid = connection.handshake.is_recoverable.then(|| {
            let secret = rand::rng().sample_iter(Alphanumeric).take(PID_SECRET).map(char::from);
            id.to_string().chars().chain(secret).collect()
        });
        let has_legacy_id = connection.protocol == Protocol::V3 && namespace != "/";
        Arc::new(Self {
            id,
            legacy_id: has_legacy_id.then(|| format!("{namespace}#{}", connection.sid)),
            namespace: namespace.into(),
            connected_at: Timestamp::now(),
            protocol: connection.protocol,
            session,
            pid,
            _auth_charge: ReceivedCharge::handshake(&connection.received, auth_bytes),
            state: Mutex::new(State {
                phase: Phase::Connecting(connection.clone()),
                application: None,
                log: RecoveryLog::default(),
                replays: Replays::default(),
                asked: HashMap::new(),
            }),
            shared: connection.shared.clone(),
            away: away.clone(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The handshake of its connection; `None` while its client is away, and after its end.
    pub(crate) fn handshake(&self) -> Option<Handshake> {
        match &self.state().phase {
            Phase::Connecting(connection) | Phase::Connected(connection) => Some(connection.handshake.clone()),
            Phase::Away { .. } | Phase::Closed => None,
        }
    }

    /// Whether its client is away: gone, and may recover it.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self.state().phase, Phase::Away { .. })
    }

    /// Whether its client is connected.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state().phase, Phase::Connected(_))
    }

    /// The transport and the address of its client; `None` while that is not connected.
    pub(crate) fn connection(&self) -> Option<(TransportName, Option<IpAddr>)> {
        let connection = match &self.state().phase {
            Phase::Connected(connection) => connection.clone(),
            Phase::Connecting(_) | Phase::Away { .. } | Phase::Closed => return None,
        };
        Some((connection.transport_name(), connection.handshake.address))
    }

    /// The socket of the layer above; `None` before CONNECT was accepted and after the end.
    pub(crate) fn application(&self) -> Option<Arc<dyn Application>> {
        self.state().application.clone()
    }

    /// The id by which its client knows it: one of Engine.IO 3 puts the namespace before it.
    pub(crate) fn client_id(&self) -> String {
        self.legacy_id.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// Whether this is the id by which only its client of Engine.IO 3 knows it.
    pub(crate) fn is_known_as(&self, legacy_id: &str) -> bool {
        self.legacy_id.as_deref() == Some(legacy_id)
    }
}
