//! The application's side of a socket: whose it is, its seat among the connected ones, its queue.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use parking_lot::{Mutex, RwLock};

use super::{Ctx, credentials::credentials, events::Registered, queue::Queue};
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

/// A socket of a namespace: who it is, and its queue.
pub(super) struct AppSocket {
    pub(super) id: SocketId,
    pub(super) inner: Arc<Socket>,
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

impl AppSocket {
    /// Of a client that is let in, if it has not gone in the meantime.
    pub(super) fn new(
        app: &Arc<App>,
        events: &Arc<Registered>,
        inner: &Arc<Socket>,
        identity: Identity,
        auth: &str,
        seat: Seat,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: inner.id,
            inner: inner.clone(),
            app: app.clone(),
            hub: app.hubs.enter(&inner.namespace),
            events: events.clone(),
            queue: Queue::default(),
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

    pub(super) fn renew(&self, identity: Identity) {
        self.app.tokens.watch(&self.hub, self.id, identity.expires_at);
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

impl Drop for AppSocket {
    fn drop(&mut self) {
        self.app.hubs.leave(self.path());
    }
}
