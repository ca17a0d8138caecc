//! The hub of a namespace: its sockets, their rooms, and the only way to emit to them.
//!
//! # Locks
//!
//! A lock may be taken while an earlier one of this list is held, never the other way round:
//!
//! 1. `Hub::order`: held while an event is put into queues, so that all sockets receive two events in the same order;
//! 2. `Hub::registry`: read-locked while an event is put into its receivers' queues, write-locked while a socket is
//!    attached, detached, subscribed or unsubscribed;
//! 3. the state of an `engine::Socket`;
//! 4. the state of an `engine::Connection`, then its output;
//! 5. the innermost locks: while one of them is held, no other lock of this list is taken. They are the locks of an
//!    `AppSocket`'s queue of jobs, identity and seat; of the limits; of the map of namespaces in `Hubs`; of presence,
//!    typing and token expiry, which may lock their own `Deadlines` too; and of the queues of room changes and sent
//!    events (`InTurn`).
//!
//! A hub may hold back the events that a commit emits to a room. Before the registry is changed, these events are
//! delivered to the sockets that are in the room at that moment. For this, the order lock is taken and released before
//! the registry is locked. The order lock is never taken while the registry is locked.
//!
//! No lock of this list is held
//!
//! - while code of an application (handlers, middleware) or a commit callback runs;
//! - while a `PendingFlush` is dropped: it ends the sockets of slow clients, which runs their handlers;
//! - over an `.await`.

mod acknowledge;
mod ask;
mod broadcast;
mod client_ack;
mod device;
mod emit;
mod encoded;
mod held_events;
mod hubs;
mod in_turn;
#[cfg(test)]
mod models;
mod order;
mod outgoing;
mod parent;
mod queries;
mod registry;
mod remote_socket;
mod room_changes;
mod sent_events;
mod suspend;
mod to;
mod turn;

use std::sync::{Arc, Weak, atomic::AtomicU64};

pub use broadcast::{Broadcast, Target};
pub use client_ack::ClientAck;
pub use device::Device;
pub use encoded::Encoded;
pub(crate) use hubs::HubSettings;
pub use hubs::Hubs;
pub use outgoing::Outgoing;
pub(crate) use parent::Parent;
pub use queries::Receiver;
pub use remote_socket::RemoteSocket;
pub(crate) use suspend::SuspendedMember;
pub use to::To;
pub(crate) use turn::Turn;

use self::{
    held_events::HeldEvents,
    order::{InOrder, Order},
    registry::Registry,
    room_changes::RoomChanges,
    sent_events::SentEvents,
};
use crate::{
    engine::{Engine, Frame, PendingFlush, Socket},
    metrics::Metrics,
    model::{Room, SocketId, User},
    protocol::ReplyForm,
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
    tellings::Hold,
};

/// The sockets of one namespace.
pub struct Hub {
    path: Arc<str>,
    /// The pattern or function that has created the namespace. `None` if the namespace was added by its own path.
    parent: Option<Arc<Parent>>,
    engine: Arc<Engine>,
    registry: RwLock<Registry>,
    /// Holds back the events of a commit. They are delivered at the end of the commit, or earlier: before anything else
    /// that must come after them.
    order: Order<HeldEvents>,
    /// A weak reference to this hub, which `Tellings` keeps while the hub holds events back.
    this: Weak<dyn Hold>,
    next_ack: AtomicU64,
    room_changes: RoomChanges,
    sent_events: SentEvents,
    metrics: Metrics,
    reply_form: ReplyForm,
}

impl Hub {
    /// The hub of the namespace with this path, without sockets.
    pub(crate) fn new(
        path: &str,
        parent: Option<Arc<Parent>>,
        engine: Arc<Engine>,
        metrics: Metrics,
        reply_form: ReplyForm,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this: &Weak<Self>| Self {
            path: path.into(),
            parent,
            engine,
            registry: RwLock::default(),
            order: Order::default(),
            this: this.clone(),
            next_ack: AtomicU64::new(0),
            room_changes: RoomChanges::default(),
            sent_events: SentEvents::default(),
            metrics,
            reply_form,
        })
    }

    /// Called when a socket has catch-alls for outgoing events. From now on, such catch-alls are called for each event
    /// that is sent.
    pub(crate) fn hear_sent_events(&self) {
        self.sent_events.hear();
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The pattern or function that has created the namespace. `None` if the namespace was added by its own path.
    pub(crate) fn parent(&self) -> Option<&Parent> {
        self.parent.as_deref()
    }

    /// Adds a socket, and subscribes it to `rooms`, if `connect` returns true. `connect` queues CONNECT while the
    /// registry is locked, so no event can come before CONNECT, and none is missed after it.
    pub(crate) fn attach(
        &self,
        socket: &Arc<Socket>,
        user: &User,
        rooms: &[Room],
        connect: impl FnOnce() -> bool,
    ) -> bool {
        let observers = self.engine.observers().filter(|_| !rooms.is_empty());
        let mut registry = self.registry_mut();
        if !connect() {
            return false;
        }
        registry.attach(socket, user);
        for room in rooms {
            if registry.subscribe(socket.id, room) && observers.is_some() {
                self.room_changes.joined(&registry, room, socket.id);
            }
        }
        drop(registry);
        if let Some(observers) = observers {
            self.room_changes.tell(observers, &self.path);
        }
        true
    }

    /// Removes a socket.
    pub(crate) fn detach(&self, id: SocketId) {
        let observers = self.engine.observers();
        let mut registry = self.registry_mut();
        let rooms = registry.detach(id);
        if let Some(observers) = observers {
            for room in &rooms {
                self.room_changes.left(&registry, room, id);
            }
            drop(registry);
            self.room_changes.tell(observers, &self.path);
        }
    }

    /// Subscribes a socket to a room, as Node's `socketsJoin` does. False if it is subscribed already, or has ended.
    ///
    /// Only the subscription is made: no membership is stored, presence does not count it, and neither the rooms of the
    /// user's token nor `limits.rooms-per-user` are checked. [`Ctx::join`](crate::Ctx::join) checks the token.
    pub fn subscribe(&self, id: SocketId, room: &Room) -> bool {
        let mut registry = self.registry_mut();
        let is_new = registry.subscribe(id, room);
        if is_new && let Some(observers) = self.engine.observers() {
            self.room_changes.joined(&registry, room, id);
            drop(registry);
            self.room_changes.tell(observers, &self.path);
        }
        is_new
    }

    /// Ends a socket's subscription to a room, as Node's `socketsLeave` does. False if it was not subscribed.
    pub fn unsubscribe(&self, id: SocketId, room: &Room) -> bool {
        let mut registry = self.registry_mut();
        let was_in = registry.unsubscribe(id, room);
        if was_in && let Some(observers) = self.engine.observers() {
            self.room_changes.left(&registry, room, id);
            drop(registry);
            self.room_changes.tell(observers, &self.path);
        }
        was_in
    }

    /// Ends a socket. DISCONNECT is sent; after it, a Socket.IO client does not reconnect by itself. With `close`, the
    /// client's whole connection is closed, as with `socket.disconnect(true)` in Node.
    pub fn kick(&self, id: SocketId, close: bool) {
        self.deliver_held();
        let socket = self.registry().everyone().get(&id).cloned();
        if let Some(socket) = socket {
            socket.kick(close);
        }
    }

    /// Delivers the events that are held back. Must be called before an action that has to come after these events and
    /// does not itself take the order lock, such as DISCONNECT. Returns the number of deliveries.
    pub(crate) fn deliver_held(&self) -> usize {
        if !self.order.is_holding() {
            return 0;
        }
        let mut pending = self.engine.pending_flush();
        let mut order = self.order.lock();
        self.release(&mut order, &mut pending)
    }

    /// Delivers the events that are held back. The caller holds the order lock. Returns the number of deliveries.
    fn release(&self, order: &mut InOrder<'_, HeldEvents>, pending: &mut PendingFlush<'_>) -> usize {
        let delivered = order.release(|run| run.deliver(&self.registry(), |event| self.frame(event), pending));
        self.metrics.deliveries.increment(delivered as u64);
        delivered
    }

    /// The frame of an event. If recovery is on, the event gets its recovery offset here. The caller holds the order
    /// lock, so that events are delivered in the order of their offsets.
    fn frame(&self, Encoded { json, attachments }: &Encoded) -> Arc<Frame> {
        Frame::event(&self.path, None, json, attachments.clone(), self.engine.offsets())
    }

    fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read()
    }

    /// Locks the registry for a change. Held-back events are delivered first, to the sockets that are in the room
    /// before the change.
    fn registry_mut(&self) -> RwLockWriteGuard<'_, Registry> {
        self.deliver_held();
        self.registry.write()
    }
}

impl Hold for Hub {
    fn release(&self) -> usize {
        self.deliver_held()
    }
}
