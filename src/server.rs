//! The server: opens the store and the router, serves, and shuts down.

mod accept;
mod address;
mod application;
mod busy;
mod client_files;
mod closing;
mod cors;
mod demo;
mod first_read;
mod gate;
mod handshake_checks;
mod health;
mod http1;
mod keeper;
mod mounted;
mod namespaces;
mod negotiation;
mod origin_check;
mod own_checks;
mod plain_websocket;
mod referring_page;
mod reloader;
mod requested_host;
mod routes;
mod snapshot;
mod socket_io;
mod tcp_connections;
mod unread_body;
mod wait;

use std::{future::Future, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use tokio::net::TcpListener;

use crate::{
    app::{App, AppHandle, ROOT},
    auth::Auth,
    config::{AuthMode, Config, Sections},
    engine::{DisconnectReason, Hooks},
    error::{Error, Result},
    handlers,
    hub::HubSettings,
    io::Io,
    metrics::Metrics,
    namespace::{self, Authenticator, Complete, Ctx, Declarations, Entrant, Events, NamespaceTest, Refusal},
    observer::Observers,
    protocol::{ClientEvent, FromArguments, IntoReply, ReplyForm},
    supervise::Background,
};
use accept::AcceptSteps;
use first_read::ListenerKind;
use keeper::Keeper;
pub use mounted::ServerHandle;
pub use reloader::Reloader;
use routes::routes;

/// How long a connection that was accepted may take to send its request, if the listener outlives the process.
const LAST_REQUESTS: Duration = Duration::from_millis(100);

/// A server that does not listen yet: settings, and the handlers of each namespace. Node's `new Server(httpServer,
/// opts)`.
pub struct Server {
    config: Config,
    handle: AppHandle,
    reply_form: ReplyForm,
    authenticator: Option<Authenticator>,
    hooks: Hooks,
    namespaces: Vec<(String, Events)>,
    namespace_functions: Vec<(String, NamespaceTest, Events)>,
    hubs: HubSettings,
    observers: Observers,
    metrics_listener: Option<TcpListener>,
    sections: Sections,
    routes: Router,
}

impl Server {
    /// A server with the chat on the root namespace. All its events are acknowledged with `{ success, data }` or
    /// `{ success, error }`.
    pub fn new(config: Config) -> Self {
        Self::with(config, ReplyForm::Enveloped, handlers::events())
    }

    /// A server without the chat, as Node's: it has no store and no events but those that are added to it, and
    /// acknowledges exactly what their handlers return. [`Config::bare`] has no limits that Node does not have.
    pub fn bare(config: Config) -> Self {
        Self::with(config, ReplyForm::Plain, Events::new())
    }

    fn with(config: Config, reply_form: ReplyForm, root: Events) -> Self {
        Self {
            config,
            handle: AppHandle::default(),
            reply_form,
            authenticator: None,
            hooks: Hooks::default(),
            namespaces: vec![(ROOT.to_owned(), root)],
            namespace_functions: Vec::new(),
            hubs: HubSettings::default(),
            observers: Observers::default(),
            metrics_listener: None,
            sections: Sections::default(),
            routes: Router::new(),
        }
    }

    /// The handle of this server: Node's `io`. It can be given to routes and tasks before the server is open.
    pub fn io(&self) -> Io {
        Io::new(self.handle.clone(), None)
    }

    /// Adds a value that handlers read with [`Ctx::state`], one of each type. It is cloned for each of them, so it is an
    /// `Arc`, a pool or another handle, as axum's state is; routes that share it are given a clone.
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    ///
    /// use axum::{Router, extract::State, routing::get};
    /// use sockeye::{Config, Ctx, Server};
    ///
    /// #[derive(Clone, Default)]
    /// struct Visits(Arc<AtomicU64>);
    ///
    /// let visits = Visits::default();
    /// let server = Server::bare(Config::bare()).state(visits.clone()).connection(async |ctx: Ctx| {
    ///     let before = ctx.state::<Visits>().0.fetch_add(1, Ordering::Relaxed);
    ///     ctx.emit("visits", before + 1)
    /// });
    /// let shown = async |State(visits): State<Visits>| visits.0.load(Ordering::Relaxed).to_string();
    /// let routes: Router = Router::new().route("/visits", get(shown)).with_state(visits);
    /// ```
    #[must_use]
    pub fn state<S: Clone + Send + Sync + 'static>(self, state: S) -> Self {
        self.handle.add_state(state);
        self
    }

    /// Changes the handlers of the root namespace: everything [`Events`] can do.
    #[must_use]
    pub fn root(mut self, change: impl FnOnce(Events) -> Events) -> Self {
        let (_, root) = &mut self.namespaces[0];
        *root = change(std::mem::take(root));
        self
    }

    /// Adds the handler of an event to the root namespace. See [`Events::on`].
    #[must_use]
    pub fn on<T, F, Fut, R>(self, event: &str, handler: F) -> Self
    where
        T: FromArguments + Send + 'static,
        F: Fn(Ctx, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: IntoReply + 'static,
    {
        self.root(|root| root.on(event, handler))
    }

    /// Adds the handler of an event whose name is its payload type's to the root namespace. See [`Events::event`].
    #[must_use]
    pub fn event<E, F, Fut, R>(self, handler: F) -> Self
    where
        E: ClientEvent,
        F: Fn(Ctx, E) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: IntoReply + 'static,
    {
        self.root(|root| root.event(handler))
    }

    /// Adds a handler that runs when a client connects to the root namespace. See [`Events::connection`].
    #[must_use]
    pub fn connection<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.root(|root| root.connection(handler))
    }

    /// Adds a handler that runs when a client of the root namespace disconnects. See [`Events::disconnect`].
    #[must_use]
    pub fn disconnect<F, Fut, R>(self, handler: F) -> Self
    where
        F: Fn(Ctx, DisconnectReason) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: IntoReply + 'static,
    {
        self.root(|root| root.disconnect(handler))
    }

    /// Adds a middleware to the root namespace: it may refuse a client. See [`Events::middleware`].
    #[must_use]
    pub fn middleware<F, Fut>(self, middleware: F) -> Self
    where
        F: Fn(Entrant) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        self.root(|root| root.middleware(middleware))
    }

    /// The settings, for those who start the server.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "only `testing` changes them"))]
    pub(crate) fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Serves the metrics on this listener, regardless of `metrics.listen`.
    #[must_use]
    pub fn metrics_on(mut self, listener: TcpListener) -> Self {
        self.metrics_listener = Some(listener);
        self
    }

    /// Opens the store and serves. Errors as with [`Self::open`] and [`OpenServer::serve`].
    pub async fn serve(self, listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) -> Result<()> {
        self.open()?.serve(listener, router, shutdown).await
    }

    /// Opens the store and starts background tasks. `unavailable` if the settings are wrong or the store cannot be
    /// opened.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime. The server must be served on the same runtime.
    pub fn open(self) -> Result<OpenServer> {
        self.config.check().map_err(|error| Error::internal("the configuration is wrong", error))?;
        let metrics = if self.metrics_listener.is_some() { Metrics::on() } else { Metrics::off() };
        let auth = Auth::new(&self.config).map_err(|error| Error::internal("the configuration is wrong", error))?;
        if self.config.auth.mode == AuthMode::Open && self.authenticator.is_none() {
            tracing::warn!(
                "auth.mode is \"open\": clients choose their user ids themselves; this is not access control"
            );
        }
        let fixed = self.namespaces.iter().map(|(path, _)| path).filter(|path| !path.contains('{')).cloned();
        let hubs = HubSettings { fixed: fixed.collect(), ..self.hubs };
        let mut background = Background::default();
        let app = App::open(self.handle, self.reply_form, self.config, auth, hubs, metrics.clone(), &mut background)?;
        app.engine.hook(self.hooks);
        if !self.observers.is_empty() {
            app.engine.observe(self.observers);
        }
        let complete: Complete = if app.is_bare() { Box::new(|events| events) } else { Box::new(handlers::everywhere) };
        let (paths, functions) = (self.namespaces, self.namespace_functions);
        let has_authenticator = self.authenticator.is_some();
        namespace::open(&app, Declarations { paths, functions, complete, authenticator: self.authenticator });
        let keeper = Keeper::open(&app, has_authenticator)?;
        if let Some(listener) = self.metrics_listener {
            let engine = app.engine.clone();
            let show = move || {
                engine.measure();
                std::future::ready(metrics.render())
            };
            let routes = Router::new().route("/metrics", get(show));
            let serving = accept::serve(listener, app.clone(), routes, ListenerKind::Operators, Arc::default());
            background.spawn("metrics-listener", serving);
        }
        Ok(OpenServer { app, background, keeper, routes: self.routes, is_inherited: false })
    }
}

/// A server with its store open, not yet listening.
pub struct OpenServer {
    app: Arc<App>,
    background: Background,
    keeper: Keeper,
    routes: Router,
    /// Whether the process before had the same listener, and the next one will.
    is_inherited: bool,
}

impl OpenServer {
    /// A handle for changing settings while the server runs.
    pub fn reloader(&self) -> Reloader {
        Reloader::new(self.app.clone())
    }

    /// Says that the listener outlives this process: at the end, new connections wait for the next process.
    pub(crate) fn inherit_listener(&mut self) {
        self.is_inherited = true;
    }

    /// Spawns a task that the server depends on: if it ends or panics before the server has closed, the server becomes
    /// unready and shuts down. The name is for the log.
    pub fn watch(&mut self, name: &str, task: impl Future<Output = ()> + Send + 'static) {
        self.background.spawn(name, task);
    }

    /// Serves until `shutdown` resolves, then drains: new clients are refused, connected ones are told, events finish,
    /// and queued writes are committed. Returns when everything is closed. A background task that ends unasked makes
    /// the server drain too, and is the error.
    ///
    /// `router` serves what is not sockeye's own: the application's routes, with their state and layers, on the same
    /// port. Without routes, a server with the chat serves the demo: a router that has only a fallback is reached if
    /// `server.demo` is false.
    pub async fn serve(self, listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) -> Result<()> {
        let Self { app, mut background, keeper, routes: own, is_inherited } = self;
        let router = routes(&app, keeper.replies.clone(), own.merge(router));
        let address = listener.local_addr().map_err(|error| Error::internal("the listener has no address", error))?;
        app.set_address(address);
        let steps = Arc::new(AcceptSteps::default());
        let accepting = background.spawn("accepting", {
            let (app, steps) = (app.clone(), steps.clone());
            async move {
                accept::serve(listener, app, router, ListenerKind::Clients, steps).await;
                Ok(())
            }
        });
        closing::asked_or_failed(&app, shutdown).await;
        if is_inherited {
            // New connections wait for the next process. Requests that were accepted are answered.
            steps.stop().await;
            tokio::time::sleep(LAST_REQUESTS).await;
            closing::drain(&app, &keeper, is_inherited).await;
            steps.close();
            accepting.wait().await;
            closing::finish(&app, &keeper).await;
        } else {
            closing::drain(&app, &keeper, is_inherited).await;
            steps.close();
            closing::finish(&app, &keeper).await;
            accepting.wait().await;
        }
        closing::end_background(&app, &mut background).await
    }

    /// The routes of the server, for the router of an axum application, and the handle that closes the server. The
    /// application serves the routes under `axum::serve`, or over any stream that hyper serves, such as TLS.
    ///
    /// The routes are those of [`Self::serve`]: the path of Socket.IO, `/health` and `/ready`, and what the settings
    /// turn on; with the chat also the HTTP API and the demo. Add them with `Router::fallback_service`: then a route of
    /// the application comes first where both have the same path. `Router::merge` panics there. With `Router::nest`,
    /// the client's option `path` begins with the prefix.
    ///
    /// The client's address is that of the request's extension `ConnectInfo<SocketAddr>`, or the one that a proxy in
    /// `server.trusted-proxies` names. Without the extension it is unknown, and limits per address do not apply.
    ///
    /// ```no_run
    /// use std::{net::SocketAddr, sync::{Arc, atomic::{AtomicU64, Ordering}}};
    ///
    /// use axum::{Router, extract::State, routing::post};
    /// use sockeye::{Config, Ctx, Io, Server};
    ///
    /// /// What HTTP handlers and socket handlers share.
    /// #[derive(Clone)]
    /// struct Shared { votes: Arc<AtomicU64>, io: Io }
    ///
    /// async fn vote(State(shared): State<Shared>) -> String {
    ///     let votes = shared.votes.fetch_add(1, Ordering::Relaxed) + 1;
    ///     match shared.io.emit("votes", votes) {
    ///         Ok(()) => format!("{votes} votes"),
    ///         Err(error) => error.to_string(),
    ///     }
    /// }
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::bare(Config::bare());
    /// let shared = Shared { votes: Arc::default(), io: server.io() };
    /// let votes = shared.votes.clone();
    /// let server = server.on("votes", move |_: Ctx, ()| {
    ///     let votes = votes.clone();
    ///     async move { votes.load(Ordering::Relaxed) }
    /// });
    /// let (routes, handle) = server.open()?.into_router();
    /// let app = Router::new().route("/vote", post(vote)).with_state(shared).fallback_service(routes);
    ///
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
    /// let shutdown = async { drop(tokio::signal::ctrl_c().await) };
    /// axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
    ///     .with_graceful_shutdown(async move {
    ///         if let Err(error) = handle.run_until(shutdown).await {
    ///             eprintln!("{error}");
    ///         }
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// These limits are the application's then: TCP connections, in all and per address; the time for a request's
    /// head, and its size; idle connections; clients that do not read a response. `limits.connections`,
    /// `limits.sockets-per-address` and all limits on what clients send and receive still apply. Whether the listener
    /// has a loopback address is unknown, so a host that is not in `server.hosts` is not refused. WebSockets need
    /// HTTP/1.1.
    pub fn into_router(self) -> (Router, ServerHandle) {
        let Self { app, background, keeper, routes: own, is_inherited: _ } = self;
        (routes(&app, keeper.replies.clone(), own), ServerHandle::new(app, background, keeper))
    }
}
