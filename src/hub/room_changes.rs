//! The queue of changes of a namespace's rooms, which are reported to the observers in order. A server without
//! observers queues no changes.

use super::{in_turn::InTurn, registry::Registry};
use crate::{
    model::{Room, RoomName, SocketId},
    observer::{Observer, Observers},
};

/// A change of a room.
enum RoomChange {
    Created(RoomName),
    Joined(RoomName, SocketId),
    Left(RoomName, SocketId),
    Deleted(RoomName),
}

/// The changes of a namespace's rooms that are not reported to the observers yet.
#[derive(Default)]
pub(super) struct RoomChanges(InTurn<RoomChange>);

impl RoomChanges {
    /// A socket has joined a room. The caller has locked the registry.
    pub(super) fn joined(&self, registry: &Registry, room: &Room, socket: SocketId) {
        let Room::Named(name) = room else { return };
        if registry.room(room).is_some_and(|sockets| sockets.len() == 1) {
            self.0.add(RoomChange::Created(name.clone()));
        }
        self.0.add(RoomChange::Joined(name.clone(), socket));
    }

    /// A socket has left a room. The caller has locked the registry.
    pub(super) fn left(&self, registry: &Registry, room: &Room, socket: SocketId) {
        let Room::Named(name) = room else { return };
        self.0.add(RoomChange::Left(name.clone(), socket));
        if registry.room(room).is_none() {
            self.0.add(RoomChange::Deleted(name.clone()));
        }
    }

    /// Tells the observers. The caller holds no locks.
    pub(super) fn tell(&self, observers: &Observers, namespace: &str) {
        self.0.pass_on(|change| observers.tell(|observer| change.tell(observer, namespace)));
    }
}

impl RoomChange {
    fn tell(&self, observer: &dyn Observer, namespace: &str) {
        match self {
            Self::Created(room) => observer.room_created(namespace, room.as_str()),
            Self::Joined(room, socket) => observer.room_joined(namespace, room.as_str(), *socket),
            Self::Left(room, socket) => observer.room_left(namespace, room.as_str(), *socket),
            Self::Deleted(room) => observer.room_deleted(namespace, room.as_str()),
        }
    }
}
