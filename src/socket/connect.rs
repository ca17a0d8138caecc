//! A socket's way in.

use std::{
    fmt::Display,
    future::Future,
    pin::Pin,
    sync::{Arc, RwLock},
};

use governor::DefaultDirectRateLimiter;
use socketioxide::handler::ConnectHandler;
use socketioxide_core::Value;

use super::{
    Adapter, Ctx, Events, Socket,
    credentials::{address, credentials},
    ctx::Turn,
    events::Registered,
    queue::Queue,
    receive::{Disconnected, Received},
};
use crate::{
    app::{App, ROOT},
    auth::Identity,
    error::{Error, Result},
    hub::{Hub, SocketId},
    limits::Seat,
};

/// A socket of a namespace: who it is, and its queue.
pub(super) struct Conn {
    pub(super) id: SocketId,
    pub(super) app: Arc<App>,
    pub(super) hub: Arc<Hub>,
    pub(super) path: Arc<str>,
    pub(super) events: Arc<Registered>,
    pub(super) queue: Queue,
    pub(super) bucket: Option<DefaultDirectRateLimiter>,
    identity: RwLock<Arc<Identity>>,
    _seat: Seat,
}

impl Conn {
    pub(super) fn identity(&self) -> Arc<Identity> {
        self.identity.read().expect("no panic while cloning").clone()
    }

    pub(super) fn renew(&self, identity: Identity) {
        if let Some(expires_at) = identity.expires_at {
            self.app.expiry.watch((self.path.to_string(), self.id), expires_at);
        }
        *self.identity.write().expect("no panic while cloning") = Arc::new(identity);
    }

    pub(super) fn ctx(self: &Arc<Self>, turn: Turn) -> Ctx {
        Ctx::new(self.clone(), turn)
    }
}

/// Lets sockets into one namespace.
#[derive(Clone)]
pub(super) struct Connect {
    app: Arc<App>,
    hub: Arc<Hub>,
    path: Arc<str>,
    events: Arc<Registered>,
}

impl Connect {
    pub(super) fn new(app: &Arc<App>, path: &str, events: Events) -> Self {
        // Relays belong to the namespace that every client connects to.
        let relays = if path == ROOT { app.config.relay.keys().cloned().collect() } else { Vec::new() };
        Self {
            app: app.clone(),
            hub: app.hubs[path].clone(),
            path: path.into(),
            events: Arc::new(events.registered(&app.metrics, relays.into_iter())),
        }
    }

    /// The middleware. It runs before CONNECT is sent, so what it attaches misses no event. It must join no room:
    /// a socket must not hear anything before its CONNECT.
    fn admit(&self, socket: &Socket, auth: Option<&Value>) -> Result<()> {
        if self.app.is_draining() {
            return Err(Error::unavailable("the server is closing"));
        }
        let request = socket.req_parts();
        let identity = self.app.auth.authenticate(&credentials(request, auth)?)?;
        let seat = self.app.limits.admit(&identity.user.id, address(request))?;
        let conn = Arc::new(Conn {
            id: socket.id,
            app: self.app.clone(),
            hub: self.hub.clone(),
            path: self.path.clone(),
            events: self.events.clone(),
            queue: Queue::default(),
            bucket: self.app.limits.bucket(),
            identity: RwLock::new(Arc::new(identity)),
            _seat: seat,
        });
        socket.on_fallback(Received(conn.clone()));
        socket.on_disconnect(Disconnected(conn.clone()));
        socket.extensions.insert(conn);
        Ok(())
    }
}

type Admitted<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Display + Send>>> + Send + 'a>>;

impl ConnectHandler<Adapter, ()> for Connect {
    /// CONNECT has been sent: the socket may hear, and its queue begins, with the connection handler.
    fn call(&self, socket: Arc<Socket>, _: Option<Value>) {
        let Some(conn) = socket.extensions.get::<Arc<Conn>>() else { return };
        let identity = conn.identity();
        tracing::info!(socket = %conn.id, user = %identity.user.id, namespace = &*conn.path, "connected");
        self.app.metrics.connects.increment(1);
        self.app.metrics.connections.increment(1);
        if let Some(expires_at) = identity.expires_at {
            self.app.expiry.watch((self.path.to_string(), conn.id), expires_at);
        }
        self.hub.attach(conn.id, &identity.user);
        Queue::open(&conn);
    }

    fn call_middleware<'a>(&'a self, socket: Arc<Socket>, auth: &'a Option<Value>) -> Admitted<'a> {
        Box::pin(async move {
            self.admit(&socket, auth.as_ref()).map_err(|error| {
                if self.app.refusal_lines.check().is_ok() {
                    tracing::info!(socket = %socket.id, code = %error.code(), %error, "connection refused");
                }
                self.app.metrics.refused(error.code());
                // The client reads the code; `connect_error` has no other place for it.
                Box::new(error.code()) as Box<dyn Display + Send>
            })
        })
    }
}
