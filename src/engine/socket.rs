//! A socket of Socket.IO: one client in one namespace. After its connection has ended, it exists for as long as the
//! client may recover it.
//!
//! This file holds the state. The files below hold the methods: [`admission`] (the answer to CONNECT), [`deliver`]
//! (events and acknowledgements to the client), [`from_connection`] (the methods that its connection calls),
//! [`recovery`] (connection state recovery), [`suspended`] (a restart of the server), and [`end`].

mod admission;
mod charged_handshake;
mod deliver;
mod end;
mod from_connection;
pub(super) mod recovery;
mod suspended;

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use rand::{Rng, distr::Alphanumeric};
use tokio::sync::oneshot;

use self::charged_handshake::ChargedHandshake;
pub(crate) use self::{recovery::ClientChange, suspended::SuspendedSocket};

use super::{
    application::{AckArguments, Application},
    connection::Connection,
    handshake::Handshake,
    library::LibrarySession,
    output::TransportName,
    reason::DisconnectReason,
    recoverable_sockets::RecoverableSockets,
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
    /// The client knows the socket by this id. Exception: a client of Engine.IO 3 outside the root namespace.
    pub(crate) id: SocketId,
    /// The path of the namespace.
    pub(crate) namespace: Arc<str>,
    /// When its client sent CONNECT; a recovery does not change it.
    pub(crate) connected_at: Timestamp,
    shared: Arc<Shared>,
    recoverable: Arc<RecoverableSockets<Self>>,
    protocol: Protocol,
    session: LibrarySession,
    /// The id by which a client of Engine.IO 3 knows the socket outside the root namespace.
    legacy_id: Option<String>,
    /// The secret with which the client recovers the socket. If it is `None`, the client cannot recover the socket:
    /// events carry no offsets, and the log stays empty.
    pid: Option<String>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    handshake: ChargedHandshake,
    application: Option<Arc<dyn Application>>,
    log: RecoveryLog,
    replays: Replays,
    /// The client's changes since the layer above last took them.
    changes: Vec<ClientChange>,
    /// Receivers of the client's acknowledgements, by acknowledgement id.
    pending_acks: HashMap<u64, oneshot::Sender<AckArguments>>,
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
    /// Creates a socket for a CONNECT. The caller adds it to the connection.
    pub(super) fn new(
        connection: &Arc<Connection>,
        recoverable: &Arc<RecoverableSockets<Self>>,
        session: LibrarySession,
        namespace: &str,
        auth: &str,
    ) -> Arc<Self> {
        let id = session.sid();
        let pid = connection.request.is_recoverable.then(|| {
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
            state: Mutex::new(State {
                phase: Phase::Connecting(connection.clone()),
                handshake: ChargedHandshake::new(connection, auth),
                application: None,
                log: RecoveryLog::default(),
                replays: Replays::default(),
                changes: Vec::new(),
                pending_acks: HashMap::new(),
            }),
            shared: connection.shared.clone(),
            recoverable: recoverable.clone(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The handshake of its last connection, which it keeps while its client is away and after its end.
    pub(crate) fn handshake(&self) -> Handshake {
        self.state().handshake.handshake.clone()
    }

    /// Whether its CONNECT is undecided and its client waits.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.state().phase, Phase::Connecting(_))
    }

    /// Whether its client is connected.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state().phase, Phase::Connected(_))
    }

    /// The transport and the address of its client. `None` while the client is not connected.
    pub(crate) fn connection(&self) -> Option<(TransportName, Option<IpAddr>)> {
        let connection = match &self.state().phase {
            Phase::Connected(connection) => connection.clone(),
            Phase::Connecting(_) | Phase::Away { .. } | Phase::Closed => return None,
        };
        Some((connection.transport_name(), connection.request.head.address()))
    }

    /// The object of the layer above for this socket. `None` before CONNECT was accepted and after the socket has
    /// ended.
    pub(crate) fn application(&self) -> Option<Arc<dyn Application>> {
        self.state().application.clone()
    }

    /// The id by which the client knows the socket. For clients of Engine.IO 3 it begins with the namespace, unless
    /// that is the root.
    pub(crate) fn client_id(&self) -> String {
        self.legacy_id.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// Whether `legacy_id` is the id by which a client of Engine.IO 3 knows the socket.
    pub(crate) fn is_known_as(&self, legacy_id: &str) -> bool {
        self.legacy_id.as_deref() == Some(legacy_id)
    }
}
