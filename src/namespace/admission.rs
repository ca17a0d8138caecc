//! Lets sockets into a namespace, through the connect handlers of socketioxide.

use std::{fmt::Display, future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Duration};

use futures_util::FutureExt;
use serde_json::Value as Json;
use socketioxide::{adapter::LocalAdapter, handler::ConnectHandler, socket::Socket as LibrarySocket};
use socketioxide_core::Value;

use super::{
    app_socket::AppSocket,
    credentials::credentials,
    dispatcher::Dispatcher,
    events::Events,
    middleware::{Entrant, Refusal},
    registered::Registered,
};
use crate::{
    app::{App, ROOT},
    engine::{EngineSide, Socket},
    error::{Error, Result},
    hub::To,
};

/// How long all middleware of a namespace may take for one client.
const ADMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Lets sockets into one namespace, or into the namespaces of one pattern.
#[derive(Clone)]
pub(super) struct Connect {
    app: Arc<App>,
    events: Arc<Registered>,
}

impl Connect {
    pub(super) fn new(app: &Arc<App>, path: &str, events: Events) -> Self {
        // Relayed events belong to the root namespace.
        let relays = if path == ROOT { app.config.relay.keys().cloned().collect() } else { Vec::new() };
        Self { app: app.clone(), events: Arc::new(events.registered(&app.metrics, relays.into_iter())) }
    }

    /// Decides before CONNECT is sent. Joins no room: a socket must hear nothing before its CONNECT.
    async fn admit(&self, inner: &Arc<Socket>, auth: &str) -> Result<Arc<Dispatcher>, Refusal> {
        if self.app.is_draining() {
            return Err(Error::unavailable("the server is closing").into());
        }
        let handshake = inner.handshake().ok_or_else(|| Error::unavailable("the client has gone"))?;
        let identity = self.app.auth.authenticate(&credentials(&handshake, auth)?)?;
        let entrant = Entrant::new(&identity, inner, auth, &handshake);
        for middleware in &self.events.middleware {
            middleware(entrant.clone()).await?;
        }
        let seat = self.app.limits.admit(&identity.user.id, handshake.address)?;
        let socket = AppSocket::new(&self.app, inner, identity, auth, seat);
        Ok(Arc::new(Dispatcher { socket, events: self.events.clone() }))
    }

    fn refuse(&self, inner: &Arc<Socket>, refusal: &Refusal) {
        if inner.handshake().is_none() {
            // The client has gone in the meantime.
            return;
        }
        if self.app.refusal_lines.check().is_ok() {
            let data = refusal.data.as_ref().map(tracing::field::display);
            tracing::info!(socket = %inner.id, error = refusal.message, data, "connection refused");
        }
        self.app.metrics.refused(refusal.code);
        inner.refuse(&refusal.message, refusal.data.as_ref().map(Json::to_string).as_deref());
    }
}

/// The decision on a socket.
type Admission = (Arc<Socket>, Result<Arc<Dispatcher>, Refusal>);

type Admitted<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Display + Send>>> + Send + 'a>>;

impl ConnectHandler<LocalAdapter, ()> for Connect {
    /// Carries the decision out: sends CONNECT, then attaches the socket and opens its queue; or sends CONNECT_ERROR.
    fn call(&self, of_library: Arc<LibrarySocket<LocalAdapter>>, _: Option<Value>) {
        let (inner, dispatcher) = match of_library.extensions.remove::<Admission>() {
            Some((inner, Ok(dispatcher))) => (inner, dispatcher),
            Some((inner, Err(refusal))) => return self.refuse(&inner, &refusal),
            None => return,
        };
        let socket = &dispatcher.socket;
        debug_assert!(Arc::ptr_eq(&inner, &socket.inner));
        let identity = socket.identity();
        let mut pending = self.app.engine.pending_flush();
        let is_in = socket.hub.attach(&inner, &identity.user, || inner.connected(dispatcher.clone(), &mut pending));
        drop(pending);
        if !is_in {
            return;
        }
        inner.leave_library();
        socket.log("connected", None);
        self.app.metrics.connects.increment(1);
        self.app.metrics.connections.increment(1);
        self.app.tokens.watch(&socket.hub, socket.id, identity.expires_at);
        if socket.app.is_draining() {
            // The sockets that were there were told; this one came in the meantime.
            socket.hub.tell(To::Socket(socket.id), &socket.app.closing());
        }
        dispatcher.open();
    }

    fn call_middleware<'a>(
        &'a self,
        of_library: Arc<LibrarySocket<LocalAdapter>>,
        auth: &'a Option<Value>,
    ) -> Admitted<'a> {
        Box::pin(async move {
            let engine_side =
                of_library.req_parts().extensions.get::<EngineSide>().and_then(EngineSide::socket).cloned();
            let inner = engine_side.ok_or_else(|| Box::new("no socket") as Box<dyn Display + Send>)?;
            let auth = auth.as_ref().and_then(Value::as_str).map_or("", |auth| auth.as_str());
            let admitted = AssertUnwindSafe(self.admit(&inner, auth)).catch_unwind();
            let admitted = match tokio::time::timeout(ADMIT_TIMEOUT, admitted).await {
                Ok(Ok(admitted)) => admitted,
                Ok(Err(_)) => Err(Error::internal("the server failed", "the middleware panicked").into()),
                Err(_) => Err(Error::unavailable("it took too long").into()),
            };
            // A refused client too is let in here, for the library would keep a refused socket waiting for another
            // CONNECT. `call` refuses it.
            of_library.extensions.insert::<Admission>((inner, admitted));
            Ok(())
        })
    }
}
