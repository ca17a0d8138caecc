//! The hub of a namespace: its sockets, the rooms they hear, and the only way to emit to them.
//!
//! # Locks
//!
//! A lock may be taken while an earlier one of this list is held, never the other way round:
//!
//! 1. `Hub::order`: held while an event is put into queues, so that all sockets get two events in the
//!    same order;
//! 2. `Hub::registry`: read while receivers are found and their queues filled, written while a
//!    socket comes, goes, joins or leaves;
//! 3. the state of an `engine::Socket`;
//! 4. the state of an `engine::Connection`, then its output;
//! 5. locks under which none of this list is taken: a socket's queue of jobs, its identity and its place in the limits
//!    (`namespace`), the limits, the namespaces of `Hubs`, and presence, typing and token expiry, under which only their
//!    own `Deadlines` are locked.
//!
//! Before the registry is written, held events are delivered to those who heard the room until then. For that the
//! order lock is taken and given back first; it is never taken while the registry is held.
//!
//! No lock of this list is held while code of an application runs (handlers, middleware) or a follower of a commit,
//! while a `PendingFlush` is dropped (it ends the sockets of slow clients, which runs their handlers), or over an
//! `.await`.

mod acknowledge;
mod answered;
mod ask;
mod device;
mod emit;
mod encoded;
mod held_events;
mod hubs;
#[cfg(test)]
mod models;
mod order;
mod outgoing;
mod queries;
mod registry;
mod to;

use std::sync::{Arc, Weak, atomic::AtomicU64};

pub use answered::Answered;
pub use device::Device;
pub use encoded::Encoded;
pub use hubs::Hubs;
pub use outgoing::Outgoing;
pub use queries::Receiver;
pub use to::To;

use self::{
    held_events::HeldEvents,
    order::{InOrder, Order},
    registry::Registry,
};
use crate::{
    engine::{Engine, Frame, PendingFlush, Socket},
    metrics::Metrics,
    model::{Room, SocketId, User},
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
    tellings::Hold,
};

/// The sockets of one namespace.
pub struct Hub {
    path: Arc<str>,
    engine: Arc<Engine>,
    registry: RwLock<Registry>,
    /// Holds back events of a commit, until its end or until something else has to come after them.
    order: Order<HeldEvents>,
    this: Weak<dyn Hold>,
    next_ack: AtomicU64,
    metrics: Metrics,
}

impl Hub {
    /// The hub of the namespace with this path, without sockets.
    pub(crate) fn new(path: &str, engine: Arc<Engine>, metrics: Metrics) -> Arc<Self> {
        Arc::new_cyclic(|this: &Weak<Self>| Self {
            path: path.into(),
            engine,
            registry: RwLock::default(),
            order: Order::default(),
            this: this.clone(),
            next_ack: AtomicU64::new(0),
            metrics,
        })
    }

    /// Adds a socket, if `connect` lets it in. Events that are emitted after its client has read CONNECT reach it.
    pub(crate) fn attach(&self, socket: &Arc<Socket>, user: &User, connect: impl FnOnce() -> bool) -> bool {
        let mut registry = self.registry_mut();
        let is_in = connect();
        if is_in {
            registry.attach(socket, user);
        }
        is_in
    }

    /// Removes a socket.
    pub(crate) fn detach(&self, id: SocketId) {
        self.registry_mut().detach(id);
    }

    /// Subscribes a socket to a room, as Node's `socketsJoin` does. False if it is subscribed already, or has ended.
    ///
    /// Only the subscription is made: no membership is stored, presence does not count it, and neither the rooms of the
    /// user's token nor `limits.rooms-per-user` are checked. [`Ctx::join`](crate::Ctx::join) checks the token.
    pub fn subscribe(&self, id: SocketId, room: &Room) -> bool {
        self.registry_mut().subscribe(id, room)
    }

    /// Ends a socket's subscription to a room, as Node's `socketsLeave` does. False if it was not subscribed.
    pub fn unsubscribe(&self, id: SocketId, room: &Room) -> bool {
        self.registry_mut().unsubscribe(id, room)
    }

    /// Ends a socket for good: DISCONNECT goes first, so that an unchanged client stays away. With `close` the
    /// client's whole connection is closed, as Node's `socket.disconnect(true)` does.
    pub fn kick(&self, id: SocketId, close: bool) {
        self.settle();
        let socket = self.registry().everyone().get(&id).cloned();
        if let Some(socket) = socket {
            socket.kick(close);
        }
    }

    /// Delivers the events that are held back, before something that does not pass through the hub. Returns the number
    /// of deliveries.
    pub(crate) fn settle(&self) -> usize {
        if !self.order.is_holding() {
            return 0;
        }
        let mut pending = self.engine.pending_flush();
        let mut order = self.order.lock();
        self.release(&mut order, &mut pending)
    }

    /// Delivers the events that are held back. Returns the number of deliveries.
    fn release(&self, order: &mut InOrder<'_, HeldEvents>, pending: &mut PendingFlush<'_>) -> usize {
        let delivered = order.release(|run| run.deliver(&self.registry(), |event| self.frame(event), pending));
        self.metrics.deliveries.increment(delivered as u64);
        delivered
    }

    /// The frame of an event, with its offset. Offsets are in the order of delivery only while the order lock is held.
    fn frame(&self, Encoded { json, attachments }: &Encoded) -> Arc<Frame> {
        Frame::event(&self.path, None, json, attachments.clone(), self.engine.offsets())
    }

    fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read()
    }

    /// Held events go to those who hear the room before the change.
    fn registry_mut(&self) -> RwLockWriteGuard<'_, Registry> {
        self.settle();
        self.registry.write()
    }
}

impl Hold for Hub {
    fn release(&self) -> usize {
        self.settle()
    }
}
