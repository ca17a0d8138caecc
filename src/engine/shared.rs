//! What all connections and sockets share: settings, limits, accounts, clocks, and frames that are always the same.
//! Knows neither connections nor sockets.

use std::sync::{Arc, OnceLock};

use governor::DefaultDirectRateLimiter;

use super::{
    diagnosis, flushers::Flushers, frame::Frame, library::Library, memory::Account, offset::Offsets,
    settings::Settings, timers::Timers, websocket::opcode,
};
use crate::{config::LimitsConfig, limits::Limits, metrics::Metrics};

/// One for each [`Engine`](super::handle::Engine).
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) metrics: Metrics,
    pub(super) limits: Arc<Limits>,
    /// The memory that is held for clients.
    pub(super) account: Arc<Account>,
    pub(super) offsets: Offsets,
    pub(super) timers: Timers,
    pub(super) flushers: Flushers,
    /// Limits the log lines about connections that are closed for what they sent.
    pub(super) mistake_lines: DefaultDirectRateLimiter,
    pub(super) frames: Frames,
    namespaces: OnceLock<Namespaces>,
}

/// The namespaces there are.
struct Namespaces {
    library: Library,
    /// The library's name of a namespace, by path.
    routes: matchit::Router<String>,
}

/// Frames that are always the same, made once.
pub(super) struct Frames {
    /// Engine.IO's packets of these names.
    pub(super) ping: Arc<Frame>,
    pub(super) pong: Arc<Frame>,
    pub(super) noop: Arc<Frame>,
    pub(super) close: Arc<Frame>,
    /// A ping frame of WebSocket's own, for clients of plain WebSocket.
    pub(super) websocket_ping: Arc<Frame>,
}

impl Shared {
    pub(super) fn new(settings: Settings, account: &Arc<Account>, limits: Arc<Limits>, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            settings,
            metrics,
            limits,
            account: account.clone(),
            offsets: Offsets::new(),
            timers: Timers::new(),
            flushers: Flushers::new(),
            mistake_lines: diagnosis::lines(),
            frames: Frames::new(),
            namespaces: OnceLock::new(),
        })
    }

    /// Replaces the bounds that may change while the server runs. Open WebSockets keep their maximal message size.
    pub(super) fn rebound(&self, limits: &LimitsConfig) {
        self.settings.max_payload.set(limits.payload_bytes);
        self.settings.attachments.set(limits.attachments);
        self.settings.queued_bytes.set(limits.queued_bytes);
        self.account.rebound(limits);
    }

    /// Sets the library and its namespaces. See [`Engine::open`](super::handle::Engine::open).
    pub(super) fn open(&self, library: Library, routes: matchit::Router<String>) {
        let is_first = self.namespaces.set(Namespaces { library, routes }).is_ok();
        assert!(is_first, "the engine is opened once");
    }

    fn namespaces(&self) -> &Namespaces {
        self.namespaces.get().expect("the engine is opened before the server listens")
    }

    /// The library.
    pub(super) fn library(&self) -> &Library {
        &self.namespaces().library
    }

    /// The library's name of a namespace; `None` where there is none of this path.
    pub(super) fn route(&self, namespace: &str) -> Option<&str> {
        self.namespaces().routes.at(namespace).ok().map(|found| found.value.as_str())
    }
}

impl Frames {
    fn new() -> Self {
        Self {
            ping: Frame::engine("2"),
            pong: Frame::engine("3"),
            noop: Frame::engine("6"),
            close: Frame::engine("1"),
            websocket_ping: Frame::control(opcode::PING, &[]),
        }
    }
}
