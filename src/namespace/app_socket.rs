//! The application's side of a socket: its identity, its seat in the limits, and its queue.

use std::{
    any::Any,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
};

use futures_util::future::BoxFuture;
use parking_lot::{Mutex, RwLock};

use super::{
    call::{Call, Outcome, Running},
    credentials::authenticate,
    queue::{self, Queue, WriteNumber},
};
use crate::{
    app::App,
    auth::Identity,
    chat,
    engine::{DisconnectReason, Handshake, Socket},
    error::Code,
    hub::{Hub, Parent},
    limits::Seat,
    model::{SocketData, SocketId, UserId},
    protocol::ReplyForm,
};

/// A job of a socket.
pub(super) type Job = queue::Job<Work, BeginWrite>;
/// A job that runs alone.
pub(super) struct Work {
    pub(super) future: BoxFuture<'static, ()>,
    /// What the job's handlers run for. They may let the next job begin before this one ends.
    pub(super) running: Option<Running>,
}
/// Begins a write, or refuses to.
pub(super) type BeginWrite = Box<dyn FnOnce(WriteNumber) + Send>;

/// A socket of a namespace.
pub(super) struct AppSocket {
    pub(super) id: SocketId,
    pub(super) inner: Arc<Socket>,
    pub(super) app: Arc<App>,
    pub(super) hub: Arc<Hub>,
    pub(super) queue: Queue<Work, BeginWrite, (Call, Outcome)>,
    /// Whether the client is away. The jobs that run the `away` and `back` handlers set it, so it may be behind.
    pub(super) is_away: AtomicBool,
    /// Held by the job that runs handlers for a change of the socket. Such jobs follow each other, also if one of them
    /// lets events begin before it ends.
    pub(super) lifecycle: tokio::sync::Mutex<()>,
    /// Whether the connection handlers have run.
    pub(super) is_settled: AtomicBool,
    /// Whether the client has recovered it at least once.
    pub(super) is_recovered: AtomicBool,
    /// The `Listeners` of this socket alone. Set when the first one is added.
    pub(super) listeners: OnceLock<Box<dyn Any + Send + Sync>>,
    /// What the application has stored with the socket.
    pub(super) data: Arc<SocketData>,
    identity: RwLock<Arc<Identity>>,
    /// The socket's seat in `limits`. `None` while the client is away.
    seat: Mutex<Option<Seat>>,
    /// The error codes with which an event without acknowledgement was refused, one bit for each. Each is logged once.
    refusals: AtomicU16,
}

impl AppSocket {
    /// Creates the application's side of a socket. It counts as a socket of its namespace until it is dropped. Without a
    /// seat it is a socket of an earlier process, whose client is away.
    pub(super) fn new(
        app: &Arc<App>,
        inner: &Arc<Socket>,
        parent: Option<&Arc<Parent>>,
        identity: Identity,
        seat: Option<Seat>,
        data: Arc<SocketData>,
    ) -> Arc<Self> {
        let is_away = seat.is_none();
        Arc::new(Self {
            id: inner.id,
            inner: inner.clone(),
            app: app.clone(),
            hub: app.hubs.enter(&inner.namespace, parent),
            queue: Queue::default(),
            is_away: AtomicBool::new(is_away),
            lifecycle: tokio::sync::Mutex::default(),
            is_settled: AtomicBool::new(false),
            is_recovered: AtomicBool::new(false),
            listeners: OnceLock::new(),
            data,
            identity: RwLock::new(Arc::new(identity)),
            seat: Mutex::new(seat),
            refusals: AtomicU16::new(0),
        })
    }

    pub(super) fn path(&self) -> &str {
        &self.inner.namespace
    }

    /// How this server acknowledges events.
    pub(super) fn form(&self) -> ReplyForm {
        self.app.reply_form
    }

    pub(super) fn identity(&self) -> Arc<Identity> {
        self.identity.read().clone()
    }

    /// Replaces the identity with a new one of the same user.
    pub(super) fn renew(&self, identity: Identity) {
        self.app.tokens.watch(&self.hub, self.id, identity.expires_at);
        *self.identity.write() = Arc::new(identity);
    }

    /// Whether a client with these credentials may recover the socket. They must be of the same user. A guest has no
    /// credentials, and those of a user that the application has chosen are unknown here; the secret `pid`, which the
    /// engine has checked, is enough.
    pub(super) fn readmit(&self, handshake: &Handshake) -> bool {
        if self.app.is_draining() {
            return false;
        }
        let own = self.identity();
        if own.is_of_application {
            return !own.has_expired();
        }
        let Ok(identity) = authenticate(&self.app, handshake) else { return false };
        if identity.is_guest && own.is_guest {
            return true;
        }
        // The client must not receive missed events of a room that its new token does not allow: the recovery is
        // refused.
        let may_stay = || self.hub.rooms_of(self.id).iter().all(|room| identity.access.allows(&identity.user.id, room));
        let is_same = identity.user.id == own.user.id && may_stay();
        if is_same {
            self.renew(identity);
            // A backend may have put the socket into another room between the check and the new identity.
            chat::leave_closed_rooms(&self.app, &self.hub, &self.identity(), self.id);
        }
        is_same
    }

    /// Takes a seat in `limits`. False if a limit is reached.
    pub(super) fn take_seat(&self, handshake: &Handshake) -> bool {
        // The error is not needed: the client then asks for a new socket, which is refused with the same error.
        let seat = self.app.limits.admit(&self.user_id(), handshake.address()).ok();
        let has_one = seat.is_some();
        // The old seat is dropped after the lock is released.
        let _previous = std::mem::replace(&mut *self.seat.lock(), seat);
        has_one
    }

    /// Gives the seat in `limits` back.
    pub(super) fn leave_seat(&self) {
        // The seat is dropped after the lock is released.
        let _seat = self.seat.lock().take();
    }

    /// Logs that the client has connected, gone away, come back or disconnected.
    pub(super) fn log(&self, what: &str, reason: Option<DisconnectReason>) {
        if self.app.connection_lines.check().is_err() {
            return;
        }
        let (user, reason) = (self.user_id(), reason.map(tracing::field::display));
        tracing::info!(socket = %self.id, %user, namespace = self.path(), reason, "{what}");
    }

    /// Whether to log that an event of this socket was refused with this code. Only the first refusal with each code is
    /// logged, within the rate limit of log lines about refusals.
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
