//! The running server's parts, opened once and closed in order.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::task::JoinSet;

use crate::{
    auth::{Auth, Due, Expiry},
    config::Config,
    error::{Error, Result},
    hub::{Hub, SocketId, To},
    limits::Limits,
    metrics::Metrics,
    presence::{Presence, TypingNow},
    protocol::EventError,
    store::Store,
};

/// Log lines about refused connections in a second; the metrics count them all.
const REFUSAL_LINES: NonZeroU32 = NonZeroU32::new(10).expect("not 0");

/// The path of the namespace that every client connects to.
pub const ROOT: &str = "/";

/// The hubs by the paths of their namespaces.
pub type Hubs = BTreeMap<String, Arc<Hub>>;

/// Everything a handler can reach.
pub struct App {
    /// The settings.
    pub config: Config,
    /// What is kept.
    pub store: Store,
    /// The sockets of the root namespace, where the chat is.
    pub hub: Arc<Hub>,
    /// The sockets of every namespace.
    pub hubs: Hubs,
    /// Who is online.
    pub presence: Presence,
    /// Who is typing.
    pub typing: TypingNow,
    /// What one client may do.
    pub limits: Arc<Limits>,
    /// Who a client is.
    pub auth: Auth,
    /// When tokens end, by namespace and socket.
    pub expiry: Expiry<(String, SocketId)>,
    /// What is counted.
    pub metrics: Metrics,
    /// Lines about refused connections: whoever is refused must not fill the log.
    pub refusal_lines: DefaultDirectRateLimiter,
    is_draining: AtomicBool,
}

impl App {
    /// Opens the store and starts what runs in the background, in `tasks`.
    pub fn open(
        config: Config,
        auth: Auth,
        hubs: Hubs,
        metrics: Metrics,
        tasks: &mut JoinSet<()>,
    ) -> Result<Arc<Self>> {
        let hub = hubs[ROOT].clone();
        let app = Arc::new(Self {
            store: Store::open(&config.store, &metrics)?,
            presence: Presence::new(config.presence.clone(), config.rooms.lobby.clone(), hub.clone()),
            typing: TypingNow::new(hub.clone()),
            limits: Limits::new(config.limits.clone(), metrics.clone()),
            expiry: Expiry::default(),
            is_draining: AtomicBool::new(false),
            refusal_lines: RateLimiter::direct(Quota::per_second(REFUSAL_LINES)),
            auth,
            hub,
            hubs,
            metrics,
            config,
        });
        tasks.spawn(app.metrics.clone().keep_up());
        tasks.spawn({
            let app = app.clone();
            async move { app.presence.tell().await }
        });
        tasks.spawn({
            let app = app.clone();
            async move { app.typing.expire().await }
        });
        tasks.spawn({
            let app = app.clone();
            async move { app.end_tokens().await }
        });
        Ok(app)
    }

    /// From now on nobody new is let in.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is going down.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Whether a hub is that of the root namespace, where the chat is.
    pub fn is_root(&self, hub: &Hub) -> bool {
        std::ptr::eq(hub, &*self.hub)
    }

    /// How many sockets there are in all namespaces.
    pub fn socket_count(&self) -> usize {
        self.hubs.values().map(|hub| hub.len()).sum()
    }

    /// Tells the sockets whose tokens have ended, and kicks those that got no new one.
    async fn end_tokens(&self) {
        loop {
            for due in self.expiry.due().await {
                let (Due::Tell((path, socket)) | Due::Kick((path, socket))) = &due;
                let Some(hub) = self.hubs.get(path) else { continue };
                match due {
                    Due::Tell(_) => hub.emit(To::Socket(*socket), &EventError::new("session", &Error::TokenExpired)),
                    Due::Kick(_) => {
                        if !hub.kick(*socket) {
                            self.expiry.kick_later((path.clone(), *socket));
                        }
                    }
                }
            }
        }
    }
}
