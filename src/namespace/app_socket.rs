//! A socket as its handlers and the layers below them know it: its identity, its place in the limits, its queue.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU16, Ordering},
};

use futures_util::future::BoxFuture;
use parking_lot::{Mutex, RwLock};

use super::{
    call::{Call, Outcome},
    credentials::credentials,
    queue::{self, Place, Queue},
};
use crate::{
    app::App,
    auth::Identity,
    chat,
    engine::{DisconnectReason, Handshake, Socket},
    error::Code,
    hub::Hub,
    limits::Seat,
    model::{SocketId, UserId},
};

/// A job of a socket.
pub(super) type Job = queue::Job<BoxFuture<'static, ()>, BeginWrite>;
/// Begins a write, or refuses to.
pub(super) type BeginWrite = Box<dyn FnOnce(Place) + Send>;

/// A socket of a namespace.
pub(super) struct AppSocket {
    pub(super) id: SocketId,
    pub(super) inner: Arc<Socket>,
    pub(super) app: Arc<App>,
    pub(super) hub: Arc<Hub>,
    pub(super) queue: Queue<BoxFuture<'static, ()>, BeginWrite, (Call, Outcome)>,
    /// Whether its handlers know that it is away.
    pub(super) is_away: AtomicBool,
    /// The `auth` of CONNECT, as JSON; empty where there was none.
    pub(super) auth: Box<str>,
    identity: RwLock<Arc<Identity>>,
    /// Its place in `limits`. `None` while it is away.
    seat: Mutex<Option<Seat>>,
    /// The error codes for which a refused event was logged: a bit for each. Only of events without acknowledgement.
    refusals: AtomicU16,
}

impl AppSocket {
    /// Counts the socket into its namespace, until it is dropped.
    pub(super) fn new(app: &Arc<App>, inner: &Arc<Socket>, identity: Identity, auth: &str, seat: Seat) -> Arc<Self> {
        Arc::new(Self {
            id: inner.id,
            inner: inner.clone(),
            app: app.clone(),
            hub: app.hubs.enter(&inner.namespace),
            queue: Queue::default(),
            is_away: AtomicBool::new(false),
            auth: auth.into(),
            identity: RwLock::new(Arc::new(identity)),
            seat: Mutex::new(Some(seat)),
            refusals: AtomicU16::new(0),
        })
    }

    pub(super) fn path(&self) -> &str {
        &self.inner.namespace
    }

    pub(super) fn identity(&self) -> Arc<Identity> {
        self.identity.read().clone()
    }

    /// Replaces the identity, by one of the same user.
    pub(super) fn renew(&self, identity: Identity) {
        self.app.tokens.watch(&self.hub, self.id, identity.expires_at);
        *self.identity.write() = Arc::new(identity);
    }

    /// Whether a client with these credentials may recover the socket: they must be of the same user. Guests have none;
    /// they have shown the secret `pid`.
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
        // With fewer rooms than before, the client must not get what was missed in the closed ones: no recovery.
        let may_stay = || self.hub.rooms_of(self.id).iter().all(|room| identity.access.allows(&identity.user.id, room));
        let is_same = identity.user.id == own.user.id && may_stay();
        if is_same {
            self.renew(identity);
            // It may have been put into another room between the check and the new identity.
            chat::leave_closed_rooms(&self.app, &self.hub, &self.identity(), self.id);
        }
        is_same
    }

    /// Takes a place in `limits`. False where there is none.
    pub(super) fn take_seat(&self, handshake: &Handshake) -> bool {
        // The client learns which limit is reached from the new socket that it asks for then.
        let seat = self.app.limits.admit(&self.user_id(), handshake.address).ok();
        let has_one = seat.is_some();
        // Dropped without the lock.
        let _previous = std::mem::replace(&mut *self.seat.lock(), seat);
        has_one
    }

    /// Gives its place in `limits` back.
    pub(super) fn leave_seat(&self) {
        // Dropped without the lock.
        let _seat = self.seat.lock().take();
    }

    /// Logs that the client came or went.
    pub(super) fn log(&self, what: &str, reason: Option<DisconnectReason>) {
        if self.app.connection_lines.check().is_err() {
            return;
        }
        let (user, reason) = (self.user_id(), reason.map(tracing::field::display));
        tracing::info!(socket = %self.id, %user, namespace = self.path(), reason, "{what}");
    }

    /// Whether to log that an event of this socket was refused with this code: for the first only, and within the rate
    /// of lines about refused connections.
    pub(super) fn is_first_refusal(&self, code: Code) -> bool {
        let bit = 1 << code as u16;
        self.refusals.fetch_or(bit, Ordering::Relaxed) & bit == 0 && self.app.refusal_lines.check().is_ok()
    }

    pub(super) fn user_id(&self) -> UserId {
        self.identity().user.id.clone()
    }
}

impl Drop for AppSocket {
    fn drop(&mut self) {
        self.app.hubs.leave(self.path());
    }
}
