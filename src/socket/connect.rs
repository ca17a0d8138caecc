//! A socket's way in, through the library's connect handlers.

use std::{
    fmt::Display,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use futures_util::FutureExt;
use parking_lot::{Mutex, RwLock};
use serde_json::Value as Json;
use socketioxide::{adapter::LocalAdapter, handler::ConnectHandler};
use socketioxide_core::Value;

use super::{
    ADMIT_TIMEOUT, Ctx, Entrant, Events, Refusal, Socket, credentials::credentials, events::Registered, queue::Queue,
};
use crate::{
    app::{App, ROOT},
    auth::Identity,
    chat,
    engine::{Behind, DisconnectReason, Handshake, Session},
    error::{Code, Error, Result},
    hub::{Hub, SocketId, To},
    limits::Seat,
    model::UserId,
};

/// A socket of a namespace: who it is, and its queue.
pub(super) struct Conn {
    pub(super) id: SocketId,
    pub(super) session: Arc<Session>,
    pub(super) app: Arc<App>,
    pub(super) hub: Arc<Hub>,
    pub(super) events: Arc<Registered>,
    pub(super) queue: Queue,
    /// What CONNECT carried, as JSON; empty where it carried nothing.
    pub(super) auth: Box<str>,
    identity: RwLock<Arc<Identity>>,
    /// None while its client is away.
    seat: Mutex<Option<Seat>>,
    /// For which codes a line has said that an event without acknowledgement was refused: a bit for each.
    refusals: AtomicU16,
}

impl Conn {
    pub(super) fn path(&self) -> &str {
        &self.session.namespace
    }

    pub(super) fn identity(&self) -> Arc<Identity> {
        self.identity.read().clone()
    }

    pub(super) fn renew(&self, identity: Identity) {
        if let Some(expires_at) = identity.expires_at {
            self.app.expiry.watch((self.path().to_owned(), self.id), expires_at);
        }
        *self.identity.write() = Arc::new(identity);
    }

    pub(super) fn ctx(self: &Arc<Self>) -> Ctx {
        Ctx::new(self.clone())
    }

    /// Whether these credentials are the same user's. Guests have none: theirs is the secret they come back with.
    pub(super) fn readmit(&self, handshake: &Handshake, auth: &str) -> bool {
        if self.app.is_draining() {
            return false;
        }
        let Ok(identity) = credentials(handshake, auth).and_then(|given| self.app.auth.authenticate(&given)) else {
            return false;
        };
        let own = self.identity();
        if identity.is_guest && own.is_guest {
            return true;
        }
        // One who may enter less than before would hear what happened in closed rooms: that one begins anew.
        let may_stay = || self.hub.rooms_of(self.id).iter().all(|room| identity.access.allows(&identity.user.id, room));
        let is_same = identity.user.id == own.user.id && may_stay();
        if is_same {
            self.renew(identity);
            // It may have been put into another room in this very moment.
            chat::leave_closed_rooms(&self.app, &self.hub, &self.identity(), self.id);
        }
        is_same
    }

    pub(super) fn take_seat(&self, handshake: &Handshake) -> bool {
        // Which limit is reached, the client learns from the new socket it asks for then.
        let seat = self.app.limits.admit(&self.user_id(), handshake.address).ok();
        let has_one = seat.is_some();
        *self.seat.lock() = seat;
        has_one
    }

    pub(super) fn leave_seat(&self) {
        drop(self.seat.lock().take());
    }

    /// A line about where the client is, and why.
    pub(super) fn log(&self, what: &str, reason: Option<DisconnectReason>) {
        if self.app.connection_lines.check().is_err() {
            return;
        }
        let (user, reason) = (self.user_id(), reason.map(tracing::field::display));
        tracing::info!(socket = %self.id, %user, namespace = self.path(), reason, "{what}");
    }

    /// Whether no event of this socket was refused with this code before. Lines about it are as few as those about
    /// refused connections.
    pub(super) fn is_first_refusal(&self, code: Code) -> bool {
        let bit = 1 << code as u16;
        self.refusals.fetch_or(bit, Ordering::Relaxed) & bit == 0 && self.app.refusal_lines.check().is_ok()
    }

    pub(super) fn user_id(&self) -> UserId {
        self.identity().user.id.clone()
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.app.hubs.leave(self.path());
    }
}

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
    async fn admit(&self, session: &Arc<Session>, auth: &str) -> Result<Arc<Conn>, Refusal> {
        if self.app.is_draining() {
            return Err(Error::unavailable("the server is closing").into());
        }
        let handshake = session.handshake().ok_or_else(|| Error::unavailable("the client has gone"))?;
        let identity = self.app.auth.authenticate(&credentials(&handshake, auth)?)?;
        let entrant = Entrant::new(&identity, session, auth, &handshake);
        for middleware in &self.events.middleware {
            middleware(entrant.clone()).await?;
        }
        let seat = self.app.limits.admit(&identity.user.id, handshake.address)?;
        Ok(Arc::new(Conn {
            id: session.id,
            session: session.clone(),
            app: self.app.clone(),
            hub: self.app.hubs.enter(&session.namespace),
            events: self.events.clone(),
            queue: Queue::default(),
            auth: auth.into(),
            identity: RwLock::new(Arc::new(identity)),
            seat: Mutex::new(Some(seat)),
            refusals: AtomicU16::new(0),
        }))
    }

    fn refuse(&self, session: &Arc<Session>, refusal: &Refusal) {
        if session.handshake().is_none() {
            // The client has gone in the meantime: there is nobody to refuse.
            return;
        }
        if self.app.refusal_lines.check().is_ok() {
            let data = refusal.data.as_ref().map(tracing::field::display);
            tracing::info!(socket = %session.id, error = refusal.message, data, "connection refused");
        }
        self.app.metrics.refused(refusal.code);
        session.refuse(&refusal.message, refusal.data.as_ref().map(Json::to_string).as_deref());
    }
}

/// What was decided about a socket.
type Admission = (Arc<Session>, Result<Arc<Conn>, Refusal>);

type Admitted<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Display + Send>>> + Send + 'a>>;

impl ConnectHandler<LocalAdapter, ()> for Connect {
    /// What was decided happens: CONNECT is sent, then the socket may hear, and its queue begins, with the connection
    /// handler; or CONNECT_ERROR is.
    fn call(&self, socket: Arc<Socket>, _: Option<Value>) {
        let (session, conn) = match socket.extensions.remove::<Admission>() {
            Some((session, Ok(conn))) => (session, conn),
            Some((session, Err(refusal))) => return self.refuse(&session, &refusal),
            None => return,
        };
        debug_assert!(Arc::ptr_eq(&session, &conn.session));
        let identity = conn.identity();
        let mut batch = self.app.engine.batch();
        let is_in = conn.hub.attach(&session, &identity.user, || session.connected(conn.clone(), &mut batch));
        drop(batch);
        if !is_in {
            return;
        }
        session.leave_library();
        conn.log("connected", None);
        self.app.metrics.connects.increment(1);
        self.app.metrics.connections.increment(1);
        if let Some(expires_at) = identity.expires_at {
            self.app.expiry.watch((conn.path().to_owned(), conn.id), expires_at);
        }
        if conn.app.is_draining() {
            // Let in while the others were told.
            conn.hub.tell(To::Socket(conn.id), &conn.app.closing());
        }
        Queue::open(&conn);
    }

    fn call_middleware<'a>(&'a self, socket: Arc<Socket>, auth: &'a Option<Value>) -> Admitted<'a> {
        Box::pin(async move {
            let behind = socket.req_parts().extensions.get::<Behind>().and_then(Behind::session).cloned();
            let session = behind.ok_or_else(|| Box::new("no session") as Box<dyn Display + Send>)?;
            let auth = auth.as_ref().and_then(Value::as_str).map_or("", |auth| auth.as_str());
            let admitted = AssertUnwindSafe(self.admit(&session, auth)).catch_unwind();
            let admitted = match tokio::time::timeout(ADMIT_TIMEOUT, admitted).await {
                Ok(Ok(admitted)) => admitted,
                Ok(Err(_)) => Err(Error::internal("the server failed", "the middleware panicked").into()),
                Err(_) => Err(Error::unavailable("it took too long").into()),
            };
            // The library keeps a socket that it refuses waiting for another CONNECT: it may let in this one too.
            socket.extensions.insert::<Admission>((session, admitted));
            Ok(())
        })
    }
}
