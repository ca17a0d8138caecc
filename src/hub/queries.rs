//! Questions about the sockets and rooms of a namespace, for directories, devices and permissions.

use std::{ops::Bound, sync::Arc};

use super::{Hub, device::Device, outgoing::Outgoing, to::To};
use crate::{
    engine::Application,
    model::{Room, RoomName, SocketId, UserId},
};

/// A socket that hears an event.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// The socket's id.
    pub socket: SocketId,
    /// The socket's id as its client knows it.
    pub client_id: String,
    /// The socket's user.
    pub user: UserId,
}

impl Hub {
    /// The sockets that would get this event now, also those that are away.
    pub(crate) fn receivers(&self, outgoing: &Outgoing<'_>) -> Vec<Receiver> {
        let registry = self.registry();
        let mut receivers = Vec::new();
        registry.each(outgoing, &mut |socket| {
            let user = registry.user_of(socket.id).map(|user| user.id.clone());
            receivers.extend(user.map(|user| Receiver { socket: socket.id, client_id: socket.client_id(), user }));
        });
        receivers
    }

    /// Number of rooms that a socket hears.
    pub(crate) fn room_count(&self, id: SocketId) -> usize {
        self.registry().rooms_of(id).map_or(0, |rooms| rooms.len())
    }

    /// The rooms that a socket hears.
    pub fn rooms_of(&self, id: SocketId) -> Vec<Room> {
        self.registry().rooms_of(id).map(|rooms| rooms.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether a socket hears a room. Both users of a direct message hear it with all their sockets.
    pub fn hears(&self, id: SocketId, room: &Room) -> bool {
        let registry = self.registry();
        match room {
            Room::Named(_) => registry.rooms_of(id).is_some_and(|rooms| rooms.contains(room)),
            Room::Direct(direct) => registry.user_of(id).is_some_and(|user| direct.has(&user.id)),
        }
    }

    /// The sockets of a user, also those that are away.
    pub fn sockets_of(&self, user: &UserId) -> Vec<SocketId> {
        self.registry().sockets_of(user).iter().map(|socket| socket.id).collect()
    }

    /// The named rooms with this prefix that connected sockets hear.
    pub fn rooms(&self, prefix: &str) -> Vec<RoomName> {
        let registry = self.registry();
        let names = registry.names().range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let names = names.take_while(|name| name.as_str().starts_with(prefix));
        let is_heard = |name: &&RoomName| {
            let sockets = registry.room(&Room::Named((*name).clone()));
            sockets.is_some_and(|sockets| sockets.values().any(|socket| socket.is_connected()))
        };
        names.filter(is_heard).cloned().collect()
    }

    /// The users of the connected sockets that hear a room: each user once for each socket.
    pub(crate) fn audience(&self, room: &Room) -> Vec<UserId> {
        let registry = self.registry();
        let mut users = Vec::new();
        registry.each_of(To::Room(room), &mut |socket| {
            if socket.is_connected() {
                users.extend(registry.user_of(socket.id).map(|user| user.id.clone()));
            }
        });
        users
    }

    /// The sockets of a user, as the user and backends see them.
    pub(crate) fn devices_of(&self, user: &UserId) -> Vec<Device> {
        let sockets = self.registry().sockets_of(user).to_vec();
        sockets.iter().map(|socket| Device::of(socket)).collect()
    }

    /// Whether a socket's handlers know that it is away. True also where the socket has ended.
    pub(crate) fn is_away(&self, id: SocketId) -> bool {
        self.application(id).is_none_or(|application| application.is_away())
    }

    /// Whether a socket's user may enter a room, by their token.
    pub(crate) fn may_hear(&self, id: SocketId, room: &Room) -> bool {
        self.application(id).is_some_and(|application| application.may_hear(room))
    }

    fn application(&self, id: SocketId) -> Option<Arc<dyn Application>> {
        let socket = self.registry().everyone().get(&id).cloned();
        socket?.application()
    }

    /// Whether any socket hears a named room, also one that is away.
    pub(crate) fn is_heard(&self, room: &Room) -> bool {
        self.registry().room(room).is_some()
    }

    /// The first `limit` names of rooms that sockets hear, sorted, beginning at `start`.
    pub(crate) fn names_from(&self, start: Bound<&RoomName>, limit: usize) -> Vec<RoomName> {
        self.registry().names().range::<RoomName, _>((start, Bound::Unbounded)).take(limit).cloned().collect()
    }

    /// The socket that its client knows by this id.
    pub fn socket(&self, client_id: &str) -> Option<SocketId> {
        let registry = self.registry();
        if let Ok(id) = client_id.parse::<SocketId>() {
            return registry.everyone().contains_key(&id).then_some(id);
        }
        // A client of Engine.IO 3 outside of the root namespace knows an id with its namespace. Such clients are few.
        let mut sockets = registry.everyone().values().filter(|_| client_id.contains('#'));
        sockets.find(|socket| socket.is_known_as(client_id)).map(|socket| socket.id)
    }

    /// All sockets, also those that are away.
    pub fn sockets(&self) -> Vec<SocketId> {
        self.registry().everyone().keys().copied().collect()
    }

    /// Number of sockets, also of those that are away.
    pub fn len(&self) -> usize {
        self.registry().everyone().len()
    }

    /// Whether there is no socket.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
