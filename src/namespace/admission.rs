//! Admits clients to a namespace, through the connect handlers of socketioxide.

use std::{fmt::Display, future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Duration};

use futures_util::FutureExt;
use serde_json::Value as Json;
use socketioxide::{adapter::LocalAdapter, handler::ConnectHandler, socket::Socket as LibrarySocket};
use socketioxide_core::Value;

use super::{
    app_socket::AppSocket,
    authenticator::Authenticator,
    credentials::authenticate,
    dispatcher::Dispatcher,
    middleware::{Entrant, Refusal},
    table::{Declared, Table},
};
use crate::{
    app::App,
    engine::{EngineSide, Socket},
    error::Error,
    hub::To,
    model::Room,
};

/// How long authentication and all middleware of a namespace may take for one client.
const ADMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Admits clients to the namespaces.
#[derive(Clone)]
pub(super) struct Connect {
    app: Arc<App>,
    table: Arc<Table>,
    /// The application's function that authenticates clients. `None`: the server checks their credentials.
    authenticator: Option<Authenticator>,
}

impl Connect {
    pub(super) fn new(app: &Arc<App>, table: &Arc<Table>, authenticator: Option<Authenticator>) -> Self {
        Self { app: app.clone(), table: table.clone(), authenticator }
    }

    /// Decides whether a client is admitted, before CONNECT is sent. It must not subscribe the socket to rooms: the
    /// socket must receive nothing before CONNECT.
    async fn admit(&self, inner: &Arc<Socket>) -> Result<Admitted, Refusal> {
        if self.app.is_draining() {
            return Err(Error::unavailable("the server is closing").into());
        }
        let handshake = inner.handshake();
        let mut identity = match &self.authenticator {
            Some(authenticate) => self.app.auth.adopt(authenticate(handshake.clone()).await?)?,
            None => authenticate(&self.app, &handshake)?,
        };
        let auth = handshake.sent_auth();
        let declared = self.table.find(&self.app, &inner.namespace, auth).await.ok_or_else(Refusal::no_namespace)?;
        let entrant = Entrant::new(&self.app, &identity, inner, declared.parent.clone(), handshake.clone());
        for middleware in &declared.handlers.middleware {
            middleware(entrant.clone()).await?;
        }
        let (data, choices) = entrant.into_choices();
        if let Some(user) = choices.user {
            (identity.user, identity.is_guest, identity.is_of_application) = (user, false, true);
        }
        let seat = self.app.limits.admit(&identity.user.id, handshake.address())?;
        let socket = AppSocket::new(&self.app, inner, declared.parent.as_ref(), identity, Some(seat), data);
        let dispatcher = Arc::new(Dispatcher { socket, handlers: declared.handlers.clone() });
        Ok(Admitted { dispatcher, declared, rooms: choices.rooms })
    }

    fn refuse(&self, inner: &Arc<Socket>, refusal: &Refusal) {
        if !inner.is_connecting() {
            // The client has gone.
            return;
        }
        if self.app.is_draining() {
            return inner.send_away();
        }
        if self.app.refusal_lines.check().is_ok() {
            let data = refusal.data.as_ref().map(tracing::field::display);
            tracing::info!(socket = %inner.id, error = refusal.message, data, "connection refused");
        }
        self.app.metrics.refused(refusal.code);
        inner.refuse(&refusal.message, refusal.data.as_ref().map(Json::to_string).as_deref());
    }
}

/// A socket that is admitted.
#[derive(Clone)]
struct Admitted {
    dispatcher: Arc<Dispatcher>,
    declared: Arc<Declared>,
    /// The rooms that middleware has chosen for the socket.
    rooms: Vec<Room>,
}

/// A socket and the decision on it. `call_middleware` passes them to `call`.
type Admission = (Arc<Socket>, Result<Admitted, Refusal>);

/// The future of `call_middleware`.
type MiddlewareFuture<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Display + Send>>> + Send + 'a>>;

impl ConnectHandler<LocalAdapter, ()> for Connect {
    /// Carries out the decision: sends CONNECT, attaches the socket and opens its queue, or sends CONNECT_ERROR.
    fn call(&self, of_library: Arc<LibrarySocket<LocalAdapter>>, _: Option<Value>) {
        let (inner, Admitted { dispatcher, declared, rooms }) = match of_library.extensions.remove::<Admission>() {
            Some((inner, Ok(admitted))) => (inner, admitted),
            Some((inner, Err(refusal))) => return self.refuse(&inner, &refusal),
            None => return,
        };
        let socket = &dispatcher.socket;
        debug_assert!(Arc::ptr_eq(&inner, &socket.inner));
        let identity = socket.identity();
        if !declared.handlers.any_outgoing.is_empty() {
            socket.hub.hear_sent_events();
        }
        let mut pending = self.app.engine.pending_flush();
        let connect = || inner.connected(dispatcher.clone(), &mut pending);
        let is_in = socket.hub.attach(&inner, &identity.user, &rooms, connect);
        drop(pending);
        if !is_in {
            return;
        }
        inner.leave_library();
        socket.log("connected", None);
        self.app.metrics.connects.increment(1);
        self.app.metrics.connections.increment(1);
        self.app.tokens.watch(&socket.hub, socket.id, identity.expires_at);
        if socket.app.is_draining() && !socket.app.is_bare() {
            // The shutdown has sent this event to all attached sockets, but this socket was attached later.
            let closing = socket.app.closing(socket.app.config.server.drain);
            socket.hub.tell_transient(To::Socket(socket.id), &closing);
        }
        dispatcher.open();
        if declared.is_removed() {
            // The namespace was removed during the admission. The removal may have disconnected its sockets before
            // this socket was attached.
            socket.hub.kick(socket.id, false);
        }
    }

    fn call_middleware<'a>(
        &'a self,
        of_library: Arc<LibrarySocket<LocalAdapter>>,
        _: &'a Option<Value>,
    ) -> MiddlewareFuture<'a> {
        Box::pin(async move {
            let engine_side =
                of_library.req_parts().extensions.get::<EngineSide>().and_then(EngineSide::socket).cloned();
            let inner = engine_side.ok_or_else(|| Box::new("no socket") as Box<dyn Display + Send>)?;
            let admitted = AssertUnwindSafe(self.admit(&inner)).catch_unwind();
            let admitted = match tokio::time::timeout(ADMIT_TIMEOUT, admitted).await {
                Ok(Ok(admitted)) => admitted,
                Ok(Err(_)) => {
                    Err(Error::internal("the server failed", "the authentication or a middleware panicked").into())
                }
                Err(_) => Err(Error::unavailable("authentication and middleware took too long").into()),
            };
            // `Ok` for a refused client too, and `call` refuses it: after an error, socketioxide would keep the socket,
            // waiting for another CONNECT.
            of_library.extensions.insert::<Admission>((inner, admitted));
            Ok(())
        })
    }
}
