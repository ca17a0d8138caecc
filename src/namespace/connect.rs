//! A socket's way in, through the library's connect handlers.

use std::{fmt::Display, future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc};

use futures_util::FutureExt;
use serde_json::Value as Json;
use socketioxide::{adapter::LocalAdapter, handler::ConnectHandler};
use socketioxide_core::Value;

use super::{
    ADMIT_TIMEOUT, Entrant, Events, OfLibrary, Refusal, app_socket::AppSocket, credentials::credentials,
    events::Registered, queue::Queue,
};
use crate::{
    app::{App, ROOT},
    engine::{EngineSide, Socket},
    error::{Error, Result},
    hub::To,
};

/// Lets sockets into one namespace, or into those of one pattern.
#[derive(Clone)]
pub(super) struct Connect {
    app: Arc<App>,
    events: Arc<Registered>,
}

impl Connect {
    pub(super) fn new(app: &Arc<App>, path: &str, events: Events) -> Self {
        // Relays belong to the namespace that every client connects to.
        let relays = if path == ROOT { app.config.relay.keys().cloned().collect() } else { Vec::new() };
        Self { app: app.clone(), events: Arc::new(events.registered(&app.metrics, relays.into_iter())) }
    }

    /// Decides before CONNECT is sent. It must join no room: a socket must not hear anything before its CONNECT.
    async fn admit(&self, inner: &Arc<Socket>, auth: &str) -> Result<Arc<AppSocket>, Refusal> {
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
        Ok(AppSocket::new(&self.app, &self.events, inner, identity, auth, seat))
    }

    fn refuse(&self, inner: &Arc<Socket>, refusal: &Refusal) {
        if inner.handshake().is_none() {
            // The client has gone in the meantime: there is nobody to refuse.
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

/// What was decided about a socket.
type Admission = (Arc<Socket>, Result<Arc<AppSocket>, Refusal>);

type Admitted<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Display + Send>>> + Send + 'a>>;

impl ConnectHandler<LocalAdapter, ()> for Connect {
    /// What was decided happens: CONNECT is sent, then the socket may hear, and its queue begins, with the connection
    /// handler; or CONNECT_ERROR is.
    fn call(&self, of_library: Arc<OfLibrary>, _: Option<Value>) {
        let (inner, socket) = match of_library.extensions.remove::<Admission>() {
            Some((inner, Ok(socket))) => (inner, socket),
            Some((inner, Err(refusal))) => return self.refuse(&inner, &refusal),
            None => return,
        };
        debug_assert!(Arc::ptr_eq(&inner, &socket.inner));
        let identity = socket.identity();
        let mut pending = self.app.engine.pending_flush();
        let is_in = socket.hub.attach(&inner, &identity.user, || inner.connected(socket.clone(), &mut pending));
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
            // Let in while the others were told.
            socket.hub.tell(To::Socket(socket.id), &socket.app.closing());
        }
        Queue::open(&socket);
    }

    fn call_middleware<'a>(&'a self, of_library: Arc<OfLibrary>, auth: &'a Option<Value>) -> Admitted<'a> {
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
            // The library keeps a socket that it refuses waiting for another CONNECT: it may let in this one too.
            of_library.extensions.insert::<Admission>((inner, admitted));
            Ok(())
        })
    }
}
