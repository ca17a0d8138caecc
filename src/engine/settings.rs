//! The engine's part of the configuration, with the bounds that may change while the server runs.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::session_cookie::SessionCookie;
use crate::config::{LimitsConfig, RecoveryClients, TransportKind};

/// The engine's part of the configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `server.ping-interval`: the time from one ping to the next.
    pub(crate) ping_interval: Duration,
    /// `server.ping-timeout`: how long a client may take to answer a ping.
    pub(crate) ping_timeout: Duration,
    /// `server.connect-timeout`: how long a client may take from the handshake until it joins a namespace.
    pub(crate) connect_timeout: Duration,
    /// `server.upgrade-timeout`: how long an upgrade from polling to a WebSocket may take.
    pub(crate) upgrade_timeout: Duration,
    /// `server.transports`.
    pub(crate) transports: Vec<TransportKind>,
    /// `[cookie]`.
    pub(crate) cookie: Option<SessionCookie>,
    /// `server.allow-eio3`: whether clients of Engine.IO 3 may connect.
    pub(crate) allow_eio3: bool,
    /// Maximal bytes of one message, one request body and one payload.
    pub(crate) max_payload: Bound,
    /// Maximal attachments of one packet.
    pub(crate) attachments: Bound,
    /// Maximal unsent bytes of one connection. See `slow_consumers`.
    pub(crate) queued_bytes: Bound,
    /// Connection state recovery.
    pub(crate) recovery: RecoverySettings,
    /// Plain WebSocket.
    pub(crate) plain: PlainSettings,
}

/// A bound that may change while the server runs.
#[derive(Debug)]
pub(crate) struct Bound(AtomicUsize);

impl Bound {
    /// From a limit of the configuration. 0 means unbounded.
    pub(crate) fn new(limit: usize) -> Self {
        Self(AtomicUsize::new(LimitsConfig::or_none(limit)))
    }

    /// The current bound; `usize::MAX` if there is none.
    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Replaces the bound. 0 means unbounded.
    pub(super) fn set(&self, limit: usize) {
        self.0.store(LimitsConfig::or_none(limit), Ordering::Relaxed);
    }
}

/// The settings of connection state recovery.
#[derive(Debug, Clone)]
pub(crate) struct RecoverySettings {
    /// How long after a lost connection a client may recover its socket. Zero turns recovery off.
    pub(crate) window: Duration,
    /// Which clients can be recovered if their query has no parameter `recovery`.
    pub(crate) clients: RecoveryClients,
    /// Maximal events in one socket's log.
    pub(crate) events: usize,
    /// Maximal bytes in one socket's log.
    pub(crate) bytes: usize,
    /// Maximal sockets of one user that are away.
    pub(crate) sockets_per_user: usize,
    /// Maximal sockets that are away.
    pub(crate) sockets: usize,
}

impl RecoverySettings {
    /// Whether recovery is on.
    pub(super) fn is_on(&self) -> bool {
        !self.window.is_zero()
    }
}

/// The settings of plain WebSocket.
#[derive(Debug, Clone)]
pub(crate) struct PlainSettings {
    /// The time from one ping frame of the server to the next.
    pub(crate) ping_interval: Duration,
    /// Maximum time between two frames of a client. After it, the connection ends.
    pub(crate) idle_timeout: Duration,
    /// The name of the event into which a bare text is translated.
    pub(crate) text_event: String,
    /// The event that reports a saved message. Its message is sent as a bare text. `None` if texts are not saved.
    pub(crate) saved_event: Option<&'static str>,
    /// Whether clients join the root namespace at once, without sending a CONNECT.
    pub(crate) open_at_once: bool,
}
