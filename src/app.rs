//! `App`: the parts of a running server, opened once.

mod calls;
mod handle;
mod reload;

use std::{
    any::Any,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use governor::{DefaultDirectRateLimiter, Quota};
use tokio::runtime::Handle;

pub(crate) use calls::{Call, Calls};
pub(crate) use handle::AppHandle;
pub use reload::Changes;

use crate::{
    auth::{Auth, Keys},
    config::Config,
    engine::{Account, Bound, Engine, PlainSettings, RecoverySettings, SessionCookie, Settings},
    error::Result,
    hub::{Hub, HubSettings, Hubs},
    limits::{self, HttpUserRate, Limits},
    metrics::Metrics,
    presence::{Presence, TypingNow},
    protocol::{ClientEvent, MessageSaved, ReplyForm, SendMessage, ServerClosing, ServerEvent},
    restart::Database,
    retention,
    store::{FolderLock, Left, Store},
    supervise::{Background, Supervisor},
    token_expiry::ExpiringTokens,
};

/// Log lines about refused connections, at most, in a second. The metrics count all refused connections.
const REFUSAL_LINES: NonZeroU32 = NonZeroU32::new(10).expect("not 0");

/// Log lines about connects and disconnects, at most, in a second. The metrics count all of them.
const CONNECTION_LINES: NonZeroU32 = NonZeroU32::new(100).expect("not 0");

/// The path of the namespace that every client connects to.
pub(crate) const ROOT: &str = "/";

/// A running server, as a handler sees it: its settings, and the sockets of all its namespaces.
pub struct App {
    /// The handle of this server, for [`Io`](crate::Io).
    pub(crate) handle: AppHandle,
    /// How events are acknowledged. A bare server has the plain form.
    pub(crate) reply_form: ReplyForm,
    /// The settings at the start. [`App::live`] has the current ones.
    pub(crate) config: Config,
    /// The database. A bare server has none.
    store: Option<Store>,
    /// The hub of the root namespace, in which the chat is.
    pub(crate) hub: Arc<Hub>,
    /// The hubs of all namespaces.
    pub(crate) hubs: Hubs,
    /// The handlers of every namespace: the layer `namespace` keeps them, whose types are not known here.
    pub(crate) handlers: OnceLock<Box<dyn Any + Send + Sync>>,
    /// The connections of all clients.
    pub(crate) engine: Arc<Engine>,
    /// The account of the bytes held for clients (`limits.memory`).
    pub(crate) memory: Arc<Account>,
    /// The users online.
    pub(crate) presence: Presence,
    /// The users typing.
    pub(crate) typing: TypingNow,
    /// The limits on sockets and connections.
    pub(crate) limits: Arc<Limits>,
    /// The rate limit of users' HTTP requests.
    pub(crate) requests: HttpUserRate,
    live: ArcSwap<Config>,
    /// Authenticates users.
    pub(crate) auth: Auth,
    /// The API keys of backends.
    pub(crate) keys: Keys,
    /// The connected sockets whose tokens expire.
    pub(crate) tokens: ExpiringTokens,
    /// The handles of all metrics.
    pub(crate) metrics: Metrics,
    /// The rate limit of log lines about refused connections, so that an attacker cannot fill the log.
    pub(crate) refusal_lines: DefaultDirectRateLimiter,
    /// The rate limit of log lines about connects and disconnects.
    pub(crate) connection_lines: DefaultDirectRateLimiter,
    is_draining: AtomicBool,
    /// Counts the requests that may emit events.
    calls: Calls,
    is_on_loopback: AtomicBool,
    /// The state of the background tasks.
    pub(crate) supervisor: Supervisor,
    /// The runtime, for threads that start tasks.
    pub(crate) runtime: Handle,
}

impl App {
    /// Opens the store and starts the background tasks. The root namespace is one of the fixed ones.
    pub(crate) fn open(
        handle: AppHandle,
        reply_form: ReplyForm,
        config: Config,
        auth: Auth,
        namespaces: HubSettings,
        metrics: Metrics,
        background: &mut Background,
    ) -> Result<Arc<Self>> {
        let limits = Limits::new(config.limits.clone(), metrics.clone());
        let memory = Account::new(&config.limits, config.recovery.total_bytes);
        let engine = Engine::new(settings(&config), &memory, limits.clone(), metrics.clone());
        engine.run(background);
        let hubs = Hubs::new(&engine, &metrics, reply_form, namespaces);
        let hub = hubs.get(ROOT).expect("the root namespace is always there");
        let app = Arc::new(Self {
            handle: handle.clone(),
            reply_form,
            store: match reply_form {
                ReplyForm::Enveloped => Some(Store::open(&config.store, &config.search, &metrics, background)?),
                ReplyForm::Plain => None,
            },
            presence: Presence::new(config.presence.clone(), config.rooms.lobby.clone(), hub.clone()),
            typing: TypingNow::new(hub.clone()),
            limits,
            requests: HttpUserRate::new(config.api.requests_per_second),
            live: ArcSwap::from_pointee(config.clone()),
            keys: Keys::new(&config),
            tokens: ExpiringTokens::new(),
            is_draining: AtomicBool::new(false),
            calls: Calls::default(),
            is_on_loopback: AtomicBool::new(false),
            supervisor: background.supervisor().clone(),
            runtime: Handle::current(),
            refusal_lines: limits::bucket(Quota::per_second(REFUSAL_LINES)),
            connection_lines: limits::bucket(Quota::per_second(CONNECTION_LINES)),
            auth,
            hub,
            hubs,
            handlers: OnceLock::new(),
            engine,
            memory,
            metrics,
            config,
        });
        handle.set(&app);
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
        if !app.is_bare() {
            let app = app.clone();
            background.spawn("retention", async move {
                retention::run(app.store(), || app.live().retention.clone()).await;
            });
        }
        Ok(app)
    }

    /// Sets the address on which the server listens.
    pub(crate) fn set_address(&self, address: SocketAddr) {
        self.is_on_loopback.store(address.ip().to_canonical().is_loopback(), Ordering::Relaxed);
    }

    /// Whether the server listens on a loopback address.
    pub(crate) fn is_on_loopback(&self) -> bool {
        self.is_on_loopback.load(Ordering::Relaxed)
    }

    /// Begins the shutdown: new connections are refused from now on.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
        self.engine.begin_close();
    }

    /// The store of a server with the chat: everything that uses it belongs to the chat.
    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().expect("a server with the chat has a store")
    }

    /// Whether the store can be used. A bare server has none, and needs none.
    pub(crate) async fn is_store_ready(&self) -> bool {
        match &self.store {
            Some(store) => store.is_ready().await,
            None => true,
        }
    }

    /// Commits what is queued and closes the store.
    pub(crate) async fn close_store(&self) {
        if let Some(store) = &self.store {
            store.close().await;
        }
    }

    /// Whether the server has no chat.
    pub(crate) fn is_bare(&self) -> bool {
        self.reply_form == ReplyForm::Plain
    }

    /// Whether the server is shutting down.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::SeqCst)
    }

    /// The requests that may emit events.
    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The `server-closing` event for one client. The times to reconnect are spread at random over this time.
    pub(crate) fn closing(&self, within: Duration) -> ServerClosing {
        ServerClosing { reconnect_in_ms: rand::random_range(0..=within.as_millis() as u64) }
    }

    /// The state in which the process before has left the database. `None` if there is no database or it is new.
    pub(crate) fn found_database(&self) -> Option<Database> {
        self.store.as_ref()?.found()
    }

    /// Reads the state in which this process leaves the database, when the store is closed. `None` if there is no
    /// database.
    pub(crate) fn database_left(&self) -> Option<Left> {
        Some(self.store.as_ref()?.left())
    }

    /// The lock on the folder of the database, which the caller may hold longer than the store is open.
    pub(crate) fn folder_lock(&self) -> Option<Arc<FolderLock>> {
        self.store.as_ref()?.folder_lock()
    }

    /// Whether a hub is that of the root namespace.
    pub(crate) fn is_root(&self, hub: &Hub) -> bool {
        std::ptr::eq(hub, &*self.hub)
    }

    /// The number of sockets in all namespaces, away ones included.
    pub fn socket_count(&self) -> usize {
        self.hubs.all().iter().map(|hub| hub.len()).sum()
    }
}

/// The engine's settings.
pub(crate) fn settings(config: &Config) -> Settings {
    let Config { server, cookie, limits, recovery, ws, .. } = config;
    Settings {
        ping_interval: server.ping_interval,
        ping_timeout: server.ping_timeout,
        connect_timeout: server.connect_timeout,
        upgrade_timeout: server.upgrade_timeout,
        transports: server.transports.clone(),
        cookie: SessionCookie::of(cookie),
        allow_eio3: server.allow_eio3,
        max_payload: Bound::new(limits.payload_bytes),
        attachments: Bound::new(limits.attachments),
        queued_bytes: Bound::new(limits.queued_bytes),
        recovery: RecoverySettings {
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
