//! The engine's settings, as values: what it needs of the configuration, and the bounds that may change while it runs.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use crate::config::{LimitsConfig, RecoveryClients};

/// The engine's part of the configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `server.ping-interval`: from one ping to the next.
    pub(crate) ping_interval: Duration,
    /// `server.ping-timeout`: from a ping to the last moment for its pong.
    pub(crate) ping_timeout: Duration,
    /// `server.connect-timeout`: from the handshake to the last moment for joining a namespace.
    pub(crate) connect_timeout: Duration,
    /// `server.upgrade-timeout`: how long an upgrade from polling to a WebSocket may take.
    pub(crate) upgrade_timeout: Duration,
    /// `server.allow-eio3`: whether clients of Engine.IO 3 may connect.
    pub(crate) allow_eio3: bool,
    /// Maximal bytes of one message, one request body and one payload.
    pub(crate) max_payload: Bound,
    /// Maximal attachments of one packet.
    pub(crate) attachments: Bound,
    /// Maximal unsent bytes of one connection. See `slow_consumers`.
    pub(crate) queued_bytes: Bound,
    /// Connection state recovery.
    pub(crate) recovery: Recovery,
    /// Plain WebSocket.
    pub(crate) plain: PlainSettings,
}

/// A bound that may change while the server runs.
#[derive(Debug)]
pub(crate) struct Bound(AtomicUsize);

impl Bound {
    /// From a limit of the configuration, where 0 means unbounded.
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

/// Connection state recovery: how long and how much is kept of sockets whose clients are away.
#[derive(Debug, Clone)]
pub(crate) struct Recovery {
    /// How long a client may stay away. Zero turns recovery off.
    pub(crate) window: Duration,
    /// Which clients are recovered if they do not choose themselves, by `recovery` in the query.
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

impl Recovery {
    /// Whether recovery is on.
    pub(super) fn is_on(&self) -> bool {
        !self.window.is_zero()
    }
}

/// The settings of plain WebSocket.
#[derive(Debug, Clone)]
pub(crate) struct PlainSettings {
    /// From one ping frame of the server's to the next.
    pub(crate) ping_interval: Duration,
    /// How long a client may send no frame at all.
    pub(crate) idle_timeout: Duration,
    /// The name of the event that a bare text frame stands for.
    pub(crate) text_event: String,
    /// The name of the event by which clients of bare texts get saved messages; `None` where texts are not saved.
    pub(crate) saved_event: Option<&'static str>,
    /// Whether clients join the root namespace before they send anything.
    pub(crate) open_at_once: bool,
}
