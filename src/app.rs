//! The running server's parts, opened once and closed in order.

mod reload;

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use governor::{DefaultDirectRateLimiter, Quota};
use tokio::runtime::Handle;

pub use reload::Changes;

use crate::{
    auth::{Auth, Keys},
    config::Config,
    engine::{Account, Bound, Engine, PlainSettings, Recovery, Settings},
    error::Result,
    hub::{Hub, Hubs},
    limits::{self, Limits, Requests},
    metrics::Metrics,
    presence::{Presence, TypingNow},
    protocol::{ClientEvent, MessageSaved, SendMessage, ServerClosing, ServerEvent},
    store::Store,
    supervise::{Background, Supervisor},
    token_expiry::ExpiringTokens,
};

/// Log lines about refused connections in a second; the metrics count them all.
const REFUSAL_LINES: NonZeroU32 = NonZeroU32::new(10).expect("not 0");

/// Log lines about clients that come and go, in a second; likewise.
const CONNECTION_LINES: NonZeroU32 = NonZeroU32::new(100).expect("not 0");

/// The path of the namespace that every client connects to.
pub(crate) const ROOT: &str = "/";

/// A running server, as a handler sees it: its settings, and the sockets of all its namespaces.
pub struct App {
    /// The settings it began with; see [`App::live`] for what has changed since.
    pub(crate) config: Config,
    /// What is kept.
    pub(crate) store: Store,
    /// The sockets of the root namespace, where the chat is.
    pub(crate) hub: Arc<Hub>,
    /// The sockets of every namespace.
    pub(crate) hubs: Hubs,
    /// Their connections.
    pub(crate) engine: Arc<Engine>,
    /// What is held for clients, in bytes.
    pub(crate) memory: Arc<Account>,
    /// Who is online.
    pub(crate) presence: Presence,
    /// Who is typing.
    pub(crate) typing: TypingNow,
    /// What one client may do.
    pub(crate) limits: Arc<Limits>,
    /// How often users may ask over HTTP.
    pub(crate) requests: Requests,
    live: ArcSwap<Config>,
    /// Who a client is.
    pub(crate) auth: Auth,
    /// The keys of backends.
    pub(crate) keys: Keys,
    /// The connected sockets whose tokens expire.
    pub(crate) tokens: ExpiringTokens,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// The rate limit of log lines about refused connections, which must not fill the log.
    pub(crate) refusal_lines: DefaultDirectRateLimiter,
    /// Lines about clients that come and go.
    pub(crate) connection_lines: DefaultDirectRateLimiter,
    is_draining: AtomicBool,
    is_on_loopback: AtomicBool,
    /// Whether what runs in the background is well.
    pub(crate) supervisor: Supervisor,
    /// Where tasks run, for threads of the store's.
    pub(crate) runtime: Handle,
}

impl App {
    /// Opens the store and starts what runs in the background. The namespaces are those that are always
    /// there; the root namespace is one of them.
    pub(crate) fn open<'a>(
        config: Config,
        auth: Auth,
        namespaces: impl Iterator<Item = &'a str>,
        metrics: Metrics,
        background: &mut Background,
    ) -> Result<Arc<Self>> {
        let limits = Limits::new(config.limits.clone(), metrics.clone());
        let memory = Account::new(&config.limits, config.recovery.total_bytes);
        let engine = Engine::new(settings(&config), &memory, limits.clone(), metrics.clone());
        engine.run(background);
        let hubs = Hubs::new(namespaces, &engine, &metrics);
        let hub = hubs.get(ROOT).expect("the root namespace is always there");
        let app = Arc::new(Self {
            store: Store::open(&config.store, &metrics, background)?,
            presence: Presence::new(config.presence.clone(), config.rooms.lobby.clone(), hub.clone()),
            typing: TypingNow::new(hub.clone()),
            limits,
            requests: Requests::new(config.api.requests_per_second),
            live: ArcSwap::from_pointee(config.clone()),
            keys: Keys::new(&config),
            tokens: ExpiringTokens::new(),
            is_draining: AtomicBool::new(false),
            is_on_loopback: AtomicBool::new(false),
            supervisor: background.supervisor().clone(),
            runtime: Handle::current(),
            refusal_lines: limits::bucket(Quota::per_second(REFUSAL_LINES)),
            connection_lines: limits::bucket(Quota::per_second(CONNECTION_LINES)),
            auth,
            hub,
            hubs,
            engine,
            memory,
            metrics,
            config,
        });
        if let Some(upkeep) = app.metrics.upkeep() {
            background.spawn("metrics-upkeep", upkeep);
        }
        background.spawn("presence", {
            let app = app.clone();
            async move { app.presence.run().await }
        });
        background.spawn("typing", {
            let app = app.clone();
            async move { app.typing.run().await }
        });
        background.spawn("token-expiry", {
            let app = app.clone();
            async move { app.tokens.run().await }
        });
        Ok(app)
    }

    /// The current settings: those of the start, with the changes of later reloads.
    pub fn config(&self) -> Arc<Config> {
        self.live.load_full()
    }

    /// The paths of all namespaces, in their order; dynamic ones while they have sockets.
    pub fn namespaces(&self) -> Vec<String> {
        self.hubs.paths()
    }

    /// The sockets of the namespace with this path, such as `/`. `None` where there is none, as with a dynamic one that
    /// has no sockets.
    pub fn hub(&self, path: &str) -> Option<Arc<Hub>> {
        self.hubs.get(path)
    }

    /// Remembers whether the server listens on a loopback address.
    pub(crate) fn set_address(&self, address: SocketAddr) {
        self.is_on_loopback.store(address.ip().to_canonical().is_loopback(), Ordering::Relaxed);
    }

    /// Whether the server listens on a loopback address.
    pub(crate) fn is_on_loopback(&self) -> bool {
        self.is_on_loopback.load(Ordering::Relaxed)
    }

    /// From now on nobody new is let in.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is going down.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// What a client is told when the server goes down: to come back within `server.drain`, each at another moment.
    pub(crate) fn closing(&self) -> ServerClosing {
        ServerClosing { reconnect_in_ms: rand::random_range(0..=self.config.server.drain.as_millis() as u64) }
    }

    /// Whether a hub is that of the root namespace, where the chat is.
    pub(crate) fn is_root(&self, hub: &Hub) -> bool {
        std::ptr::eq(hub, &*self.hub)
    }

    /// How many sockets there are in all namespaces, those whose clients may come back among them.
    pub fn socket_count(&self) -> usize {
        self.hubs.all().iter().map(|hub| hub.len()).sum()
    }
}

/// What the engine has to know.
pub(crate) fn settings(config: &Config) -> Settings {
    let Config { server, limits, recovery, ws, .. } = config;
    Settings {
        ping_interval: server.ping_interval,
        ping_timeout: server.ping_timeout,
        connect_timeout: server.connect_timeout,
        upgrade_timeout: server.upgrade_timeout,
        allow_eio3: server.allow_eio3,
        max_payload: Bound::new(limits.payload_bytes),
        attachments: Bound::new(limits.attachments),
        queued_bytes: Bound::new(limits.queued_bytes),
        recovery: Recovery {
            window: recovery.window,
            clients: recovery.clients,
            events: recovery.events,
            bytes: recovery.bytes,
            sockets_per_user: recovery.sockets_per_user,
            sockets: recovery.sockets,
        },
        plain: PlainSettings {
            ping_interval: ws.ping_interval,
            idle_timeout: ws.idle_timeout,
            text_event: ws.text_event.clone(),
            saved_event: (ws.text_event == SendMessage::NAME).then_some(MessageSaved::NAME),
            open_at_once: ws.open_at_once,
        },
    }
}
