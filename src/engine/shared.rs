//! What all connections and sockets share: settings, limits, the memory account, timers, flushers, and constant frames.
//! This file imports neither connections nor sockets.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use governor::DefaultDirectRateLimiter;

use super::{
    diagnosis, flushers::Flushers, frame::Frame, hooks::Hooks, library::Library, memory::Account, offset::Offsets,
    settings::Settings, timers::Timers, websocket::opcode,
};
use crate::{config::LimitsConfig, limits::Limits, metrics::Metrics, observer::Observers};

/// The shared part of an [`Engine`](super::handle::Engine).
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) metrics: Metrics,
    pub(super) limits: Arc<Limits>,
    /// The memory that is held for clients.
    pub(super) account: Arc<Account>,
    pub(super) offsets: Offsets,
    pub(super) timers: Timers,
    pub(super) flushers: Flushers,
    /// Limits the log lines about clients that broke the protocol.
    pub(super) mistake_lines: DefaultDirectRateLimiter,
    pub(super) frames: Frames,
    is_closing: AtomicBool,
    opened: OnceLock<Opened>,
    observers: OnceLock<Observers>,
    hooks: OnceLock<Hooks>,
}

/// Returns whether a CONNECT for the namespace with this path is passed to the library. Any other CONNECT is refused.
pub(crate) type Knows = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The arguments of [`Shared::open`].
struct Opened {
    library: Library,
    knows: Knows,
}

/// Constant frames, made once. `ping`, `pong`, `noop` and `close` are packets of Engine.IO.
pub(super) struct Frames {
    pub(super) ping: Arc<Frame>,
    pub(super) pong: Arc<Frame>,
    pub(super) noop: Arc<Frame>,
    pub(super) close: Arc<Frame>,
    /// A ping frame of RFC 6455, for clients of plain WebSocket.
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
            is_closing: AtomicBool::new(false),
            opened: OnceLock::new(),
            observers: OnceLock::new(),
            hooks: OnceLock::new(),
        })
    }

    /// Replaces the bounds that may change while the server runs. Open WebSockets keep their maximal message size.
    pub(super) fn set_limits(&self, limits: &LimitsConfig) {
        self.settings.max_payload.set(limits.payload_bytes);
        self.settings.attachments.set(limits.attachments);
        self.settings.queued_bytes.set(limits.queued_bytes);
        self.account.set_limits(limits);
    }

    /// Sets the library (socketioxide), and the check of a CONNECT's namespace. See
    /// [`Engine::open`](super::handle::Engine::open).
    pub(super) fn open(&self, library: Library, knows: Knows) {
        let is_first = self.opened.set(Opened { library, knows }).is_ok();
        assert!(is_first, "the engine is opened once");
    }

    fn opened(&self) -> &Opened {
        self.opened.get().expect("the engine is opened before the server listens")
    }

    /// Sets the application's hooks for requests.
    pub(super) fn hook(&self, hooks: Hooks) {
        assert!(self.hooks.set(hooks).is_ok(), "the engine is opened once");
    }

    /// The application's hooks for requests.
    pub(super) fn hooks(&self) -> &Hooks {
        self.hooks.get_or_init(Hooks::default)
    }

    /// From now on a CONNECT ends its connection: see [`Self::is_closing`].
    pub(super) fn begin_close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    /// Whether the server is closing. A CONNECT is then not refused, since a client does not repeat a CONNECT that was
    /// refused. Its connection ends, and the client connects again by itself.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    /// Sets the observers.
    pub(super) fn observe(&self, observers: Observers) {
        assert!(self.observers.set(observers).is_ok(), "the observers are set once");
    }

    /// The observers, if there are any.
    pub(super) fn observers(&self) -> Option<&Observers> {
        self.observers.get()
    }

    /// The library: socketioxide, which decides on CONNECT.
    pub(super) fn library(&self) -> &Library {
        &self.opened().library
    }

    /// Whether a CONNECT for this namespace is passed to the library.
    pub(super) fn knows(&self, namespace: &str) -> bool {
        (self.opened().knows)(namespace)
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
