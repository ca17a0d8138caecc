//! The server: the router with its layers, and its life from `serve` to the last write.

mod accept;
mod address;
mod busy;
mod client_files;
mod demo;
mod drain;
mod first_read;
mod gate;
mod handshake_checks;
mod health;
mod http1;
mod negotiation;
mod origin_check;
mod plain_websocket;
mod referring_page;
mod requested_host;
mod socket_io;
mod tcp_connections;

use std::{future::Future, sync::Arc, time::Duration};

use ::http::{Method, header::RETRY_AFTER};
use axum::{Router, middleware, routing::get};
use tokio::{net::TcpListener, sync::Notify};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::{
    app::{App, Changes, ROOT},
    auth::Auth,
    config::{AuthMode, Config, ConfigErrors},
    engine::DisconnectReason,
    error::{Error, Result},
    handlers, http,
    hub::To,
    metrics::Metrics,
    namespace::{self, Ctx, Events},
    protocol::{ClientEvent, IntoReply},
    pusher,
    supervise::Background,
};
use first_read::Expected;

/// How often a drain checks whether all clients have gone.
const DRAIN_TICK: Duration = Duration::from_millis(50);

/// How long closing the store may take after a failure.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// A server that does not listen yet: settings, and the events of each namespace.
pub struct Server {
    config: Config,
    namespaces: Vec<(String, Events)>,
    metrics_listener: Option<TcpListener>,
}

impl Server {
    /// A server with the chat on the root namespace.
    pub fn new(config: Config) -> Self {
        Self { config, namespaces: vec![(ROOT.to_owned(), handlers::events())], metrics_listener: None }
    }

    /// A server without the chat: only with the events added to it.
    pub fn bare(config: Config) -> Self {
        Self { config, namespaces: vec![(ROOT.to_owned(), Events::new())], metrics_listener: None }
    }

    /// Changes the events of the root namespace: everything [`Events`] can do.
    #[must_use]
    pub fn root(mut self, change: impl FnOnce(Events) -> Events) -> Self {
        let (_, root) = &mut self.namespaces[0];
        *root = change(std::mem::take(root));
        self
    }

    /// Adds an event of one's own to the root namespace; one of the same name is replaced. See [`Events::on`].
    #[must_use]
    pub fn on<E, F, Fut, R>(self, handler: F) -> Self
    where
        E: ClientEvent,
        F: Fn(Ctx, E) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
        R: IntoReply + 'static,
    {
        self.root(|root| root.on(handler))
    }

    /// Sets the handler that runs first on every socket of the root namespace, after `session`. See
    /// [`Events::connection`].
    #[must_use]
    pub fn connection<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.root(|root| root.connection(handler))
    }

    /// Sets the handler that runs last on every socket of the root namespace. See [`Events::disconnect`].
    #[must_use]
    pub fn disconnect<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(Ctx, DisconnectReason) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.root(|root| root.disconnect(handler))
    }

    /// Adds a namespace of one's own, with the same users, limits and guarantees. A path such as `/orders-{id}`
    /// stands for many namespaces, each of which exists from its first socket to its last.
    ///
    /// # Panics
    ///
    /// If there is one of this path already; the root namespace, `/`, always is there.
    #[must_use]
    pub fn namespace(mut self, path: &str, events: Events) -> Self {
        assert!(self.namespaces.iter().all(|(known, _)| known != path), "{path} is a namespace already");
        self.namespaces.push((path.to_owned(), events));
        self
    }

    /// Serves the metrics on this listener, whatever `metrics.listen` says.
    #[must_use]
    pub fn metrics_on(mut self, listener: TcpListener) -> Self {
        self.metrics_listener = Some(listener);
        self
    }

    /// Opens the store and serves. Errors as with [`Self::open`] and [`OpenServer::serve`].
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<()> {
        self.open()?.serve(listener, shutdown).await
    }

    /// Opens the store and starts background tasks. `unavailable` where the settings are wrong or the store
    /// cannot be opened.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime. It must be the one that will serve.
    pub fn open(self) -> Result<OpenServer> {
        self.config.check().map_err(|error| Error::internal("the configuration is wrong", error))?;
        let metrics = if self.metrics_listener.is_some() { Metrics::on() } else { Metrics::off() };
        let auth = Auth::new(&self.config).map_err(|error| Error::internal("the configuration is wrong", error))?;
        if self.config.auth.mode == AuthMode::Open {
            tracing::warn!("auth.mode is \"open\": everybody is who they say they are; this is not access control");
        }
        let fixed = self.namespaces.iter().map(|(path, _)| path.as_str()).filter(|path| !path.contains('{'));
        let mut background = Background::default();
        let app = App::open(self.config, auth, fixed, metrics.clone(), &mut background)?;
        let namespaces = self.namespaces.into_iter().map(|(path, events)| (path, handlers::everywhere(events)));
        namespace::open(&app, namespaces.collect());
        let router = router(&app);
        if let Some(listener) = self.metrics_listener {
            let engine = app.engine.clone();
            let show = move || {
                engine.measure();
                std::future::ready(metrics.render())
            };
            let routes = Router::new().route("/metrics", get(show));
            let serving = accept::serve(listener, app.clone(), routes, Expected::Operators, std::future::pending());
            background.spawn("metrics-listener", serving);
        }
        Ok(OpenServer { app, router, background })
    }
}

/// A server with its store open, not yet listening.
pub struct OpenServer {
    app: Arc<App>,
    router: Router,
    background: Background,
}

/// Changes the settings of a server while it runs.
#[derive(Clone)]
pub struct Reloader(Arc<App>);

impl Reloader {
    /// Applies the settings that may change while the server runs: `key.*`, `pusher.*`, `limits.*`, `cors.origins`,
    /// `server.hosts`, `auth.*` except `auth.mode` and `auth.allow-open-public`, `api.requests-per-second` and
    /// `api.asked-sockets`. Existing sockets and requests go on. The log and the result name what has changed.
    ///
    /// An error holds every mistake in the settings; then nothing has changed.
    pub fn reload(&self, config: &Config) -> Result<Changes, ConfigErrors> {
        let changes = self.0.reload(config)?;
        for setting in &changes.waiting {
            tracing::warn!(setting, "needs a restart");
        }
        tracing::info!(changed = changes.made.join(", "), "the settings were read again");
        Ok(changes)
    }
}

impl OpenServer {
    /// A handle for changing settings while the server runs.
    pub fn reloader(&self) -> Reloader {
        Reloader(self.app.clone())
    }

    /// Spawns a task that the server depends on: if it ends or panics before the server has closed, the server becomes
    /// unready and shuts down. The name is for the log.
    pub fn watch(&mut self, name: &str, task: impl Future<Output = ()> + Send + 'static) {
        self.background.spawn(name, task);
    }

    /// Serves until `shutdown` resolves, then drains: new clients are refused, connected ones are told, events finish,
    /// and queued writes are committed. Returns when everything is closed. A background task that ends unasked makes
    /// the server drain too, and is the error.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<()> {
        let Self { app, router, mut background } = self;
        let address = listener.local_addr().map_err(|error| Error::internal("the listener has no address", error))?;
        app.set_address(address);
        let closed = Arc::new(Notify::new());
        let accepting = background.spawn("accepting", {
            let (app, closed) = (app.clone(), closed.clone());
            async move {
                accept::serve(listener, app, router, Expected::Clients, closed.notified()).await;
                Ok(())
            }
        });
        tokio::select! {
            () = shutdown => {}
            () = app.supervisor.failed() => {}
        }
        drain(&app).await;
        closed.notify_one();
        close(&app).await;
        accepting.wait().await;
        background.shutdown().await;
        tracing::info!("closed");
        match app.supervisor.failure() {
            None => Ok(()),
            Some(reason) => Err(Error::unavailable(&format!("the server could not go on: {reason}"))),
        }
    }
}

fn router(app: &Arc<App>) -> Router {
    let origins = app.clone();
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| {
            origins.live().cors.origins.iter().any(|allowed| allowed.allows(origin))
        }))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .allow_credentials(true)
        .expose_headers([RETRY_AFTER, http::REQUEST_ID]);
    let mut socket_io = socket_io::routes(app);
    if app.config.server.serve_client {
        socket_io = socket_io.merge(client_files::routes(app.config.server.path()));
    }
    let framed = middleware::from_fn_with_state(app.clone(), http::frame);
    let api = http::routes(app)
        .layer(middleware::from_fn_with_state(app.clone(), gate::api))
        .layer(cors.clone())
        .layer(middleware::from_fn(gate::preflight))
        .layer(framed.clone());
    let drained = middleware::from_fn_with_state(app.clone(), drain::drain);
    let socket_io = socket_io.layer(cors).layer(middleware::from_fn(gate::preflight)).layer(drained.clone());
    let for_browsers = socket_io.merge(api).layer(middleware::from_fn_with_state(app.clone(), address::resolve));
    let mut others = Router::new().merge(plain_websocket::routes(app)).merge(health::routes(app));
    if app.config.server.demo {
        others = others.fallback(demo::file);
    }
    others.layer(drained).merge(for_browsers).merge(pusher::routes(app).layer(framed))
}

/// Commits queued writes and closes the store. After a failure the store may be what failed, so the wait is bounded.
async fn close(app: &App) {
    let closing = app.store.close();
    if app.supervisor.failure().is_none() {
        closing.await;
    } else if tokio::time::timeout(LAST_WRITES, closing).await.is_err() {
        tracing::error!("the store did not close");
    }
}

/// Gives clients up to `server.drain` to finish.
async fn drain(app: &App) {
    let limit = app.config.server.drain;
    tracing::info!(sockets = app.socket_count(), "closing");
    app.drain();
    for hub in app.hubs.all() {
        for socket in hub.sockets() {
            hub.tell(To::Socket(socket), &app.closing());
        }
    }
    // Connections are dropped without DISCONNECT, so that unchanged clients reconnect by themselves; in batches, so
    // that they do not all come at once.
    app.engine.drop_connections(limit).await;
    app.engine.close();
    // Disconnect handlers run last.
    let all_gone = async {
        while app.socket_count() > 0 {
            tokio::time::sleep(DRAIN_TICK).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(1), all_gone).await.is_err() {
        tracing::warn!(sockets = app.socket_count(), "some sockets did not close");
    }
}
