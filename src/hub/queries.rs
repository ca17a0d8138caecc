//! Queries of the sockets and rooms of a namespace.

use std::{ops::Bound, sync::Arc};

use super::{Hub, device::Device, outgoing::Outgoing, to::To};
use crate::{
    engine::Application,
    model::{Room, RoomName, SocketId, UserId},
};

/// A socket that receives an event.
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
    /// The sockets that would receive this event now, including those that are away.
    pub(crate) fn receivers(&self, outgoing: &Outgoing<'_>) -> Vec<Receiver> {
        let registry = self.registry();
        let mut receivers = Vec::new();
        registry.each(outgoing, &mut |socket| {
            let user = registry.user_of(socket.id).map(|user| user.id.clone());
            receivers.extend(user.map(|user| Receiver { socket: socket.id, client_id: socket.client_id(), user }));
        });
        receivers
    }

    /// Number of rooms that a socket is in.
    pub(crate) fn room_count(&self, id: SocketId) -> usize {
        self.registry().rooms_of(id).map_or(0, |rooms| rooms.len())
    }

    /// The rooms that a socket is in.
    pub fn rooms_of(&self, id: SocketId) -> Vec<Room> {
        self.registry().rooms_of(id).map(|rooms| rooms.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether a socket is in a room. The room of a direct message contains all sockets of both users.
    pub fn is_subscribed(&self, id: SocketId, room: &Room) -> bool {
        let registry = self.registry();
        match room {
            Room::Named(_) => registry.rooms_of(id).is_some_and(|rooms| rooms.contains(room)),
            Room::Direct(direct) => registry.user_of(id).is_some_and(|user| direct.has(&user.id)),
        }
    }

    /// The sockets of a user, including those that are away.
    pub fn sockets_of(&self, user: &UserId) -> Vec<SocketId> {
        self.registry().sockets_of(user).iter().map(|socket| socket.id).collect()
    }

    /// The named rooms with this prefix that have connected sockets.
    pub fn rooms(&self, prefix: &str) -> Vec<RoomName> {
        let registry = self.registry();
        let names = registry.names().range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let names = names.take_while(|name| name.as_str().starts_with(prefix));
        let has_connected_socket = |name: &&RoomName| {
            let sockets = registry.room(&Room::Named((*name).clone()));
            sockets.is_some_and(|sockets| sockets.values().any(|socket| socket.is_connected()))
        };
        names.filter(has_connected_socket).cloned().collect()
    }

    /// The users of the connected sockets in a room. A user with several sockets is repeated.
    pub(crate) fn subscribed_users(&self, room: &Room) -> Vec<UserId> {
        let registry = self.registry();
        let mut users = Vec::new();
        registry.each_of(To::Room(room), &mut |socket| {
            if socket.is_connected() {
                users.extend(registry.user_of(socket.id).map(|user| user.id.clone()));
            }
        });
        users
    }

    /// The sockets in a room, including those that are away.
    pub(crate) fn sockets_in(&self, room: &Room) -> Vec<SocketId> {
        let mut sockets = Vec::new();
        self.registry().each_of(To::Room(room), &mut |socket| sockets.push(socket.id));
        sockets
    }

    /// The sockets of a user, as the user and backends see them.
    pub(crate) fn devices_of(&self, user: &UserId) -> Vec<Device> {
        let sockets = self.registry().sockets_of(user).to_vec();
        sockets.iter().map(|socket| Device::of(socket)).collect()
    }

    /// Whether a socket is away, as far as its handlers know. Also true if the socket has ended.
    pub(crate) fn is_away(&self, id: SocketId) -> bool {
        self.application(id).is_none_or(|application| application.is_away())
    }

    /// Whether the token of a socket's user allows a room.
    pub(crate) fn may_enter(&self, id: SocketId, room: &Room) -> bool {
        self.application(id).is_some_and(|application| application.may_enter(room))
    }

    /// Whether at least one socket would receive an event.
    pub(super) fn has_receivers(&self, to: To<'_>) -> bool {
        self.registry().has_receivers(to)
    }

    /// The names of the rooms that a socket is in, sorted.
    pub(crate) fn room_names(&self, id: SocketId) -> Vec<String> {
        let registry = self.registry();
        let rooms = registry.rooms_of(id).into_iter().flatten();
        let names = rooms.filter_map(|room| match room {
            Room::Named(name) => Some(name.as_str().to_owned()),
            Room::Direct(_) => None,
        });
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        names
    }

    pub(super) fn application(&self, id: SocketId) -> Option<Arc<dyn Application>> {
        let socket = self.registry().everyone().get(&id).cloned();
        socket?.application()
    }

    /// Whether a named room has sockets, including those that are away.
    pub(crate) fn has_subscribers(&self, room: &Room) -> bool {
        self.registry().room(room).is_some()
    }

    /// The first `limit` names of rooms that have sockets, sorted, beginning at `start`.
    pub(crate) fn names_from(&self, start: Bound<&RoomName>, limit: usize) -> Vec<RoomName> {
        self.registry().names().range::<RoomName, _>((start, Bound::Unbounded)).take(limit).cloned().collect()
    }

    /// The socket whose client knows it by this id.
    pub fn socket(&self, client_id: &str) -> Option<SocketId> {
        if let Some(id) = SocketId::parsed(client_id) {
            return self.registry().everyone().contains_key(&id).then_some(id);
        }
        // Most names are no ids: they cost no lock and no search.
        if !client_id.contains('#') {
            return None;
        }
        // Outside of the root namespace, a client of Engine.IO 3 knows an id that begins with the namespace. Such
        // clients are few, so all sockets are searched.
        let registry = self.registry();
        let socket = registry.everyone().values().find(|socket| socket.is_known_as(client_id));
        socket.map(|socket| socket.id)
    }

    /// All sockets, including those that are away.
    pub fn sockets(&self) -> Vec<SocketId> {
        self.registry().everyone().keys().copied().collect()
    }

    /// Number of sockets, including those that are away.
    pub fn len(&self) -> usize {
        self.registry().everyone().len()
    }
}
