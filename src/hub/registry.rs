//! The sockets of one namespace, by user and by room. The registry has no lock of its own: `Hub` keeps it in an
//! `RwLock`.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use indexmap::IndexMap;

use super::{outgoing::Outgoing, to::To};
use crate::{
    engine::Socket,
    model::{Room, RoomName, SocketId, User, UserId},
};

/// Sockets, in the order in which an event is delivered to them.
type Sockets = IndexMap<SocketId, Arc<Socket>>;

/// The sockets of one namespace, with their users and their rooms.
#[derive(Default)]
pub(super) struct Registry {
    everyone: Sockets,
    subscriptions: HashMap<SocketId, Subscriptions>,
    users: HashMap<UserId, Vec<Arc<Socket>>>,
    /// The sockets in each named room. A room without sockets has no entry.
    rooms: HashMap<Room, Sockets>,
    /// The names of the rooms in `rooms`. They are sorted, so that a page of names costs the same with few and with
    /// many rooms.
    names: BTreeSet<RoomName>,
}

/// A socket's user and rooms.
struct Subscriptions {
    user: User,
    rooms: HashSet<Room>,
}

impl Registry {
    /// Adds a socket, which is in no room yet.
    pub(super) fn attach(&mut self, socket: &Arc<Socket>, user: &User) {
        self.subscriptions.insert(socket.id, Subscriptions { user: user.clone(), rooms: HashSet::new() });
        self.users.entry(user.id.clone()).or_default().push(socket.clone());
        self.everyone.insert(socket.id, socket.clone());
    }

    /// Removes a socket, also from its rooms, and returns these.
    pub(super) fn detach(&mut self, id: SocketId) -> HashSet<Room> {
        self.everyone.swap_remove(&id);
        let Some(Subscriptions { user, rooms }) = self.subscriptions.remove(&id) else { return HashSet::new() };
        if let Some(sockets) = self.users.get_mut(&user.id) {
            sockets.retain(|socket| socket.id != id);
            if sockets.is_empty() {
                self.users.remove(&user.id);
            }
        }
        for room in &rooms {
            self.remove_from_room(id, room);
        }
        rooms
    }

    /// Adds a socket to a room. False if the socket is in the room already, or is not in the registry.
    pub(super) fn subscribe(&mut self, id: SocketId, room: &Room) -> bool {
        let (Some(socket), Some(of_socket)) = (self.everyone.get(&id), self.subscriptions.get_mut(&id)) else {
            return false;
        };
        if !of_socket.rooms.insert(room.clone()) {
            return false;
        }
        let sockets = self.rooms.entry(room.clone()).or_default();
        let is_first = sockets.is_empty();
        sockets.insert(id, socket.clone());
        if is_first && let Room::Named(name) = room {
            self.names.insert(name.clone());
        }
        true
    }

    /// Removes a socket from a room. False if the socket was not in the room.
    pub(super) fn unsubscribe(&mut self, id: SocketId, room: &Room) -> bool {
        let was_in = self.subscriptions.get_mut(&id).is_some_and(|of_socket| of_socket.rooms.remove(room));
        if was_in {
            self.remove_from_room(id, room);
        }
        was_in
    }

    fn remove_from_room(&mut self, id: SocketId, room: &Room) {
        let Some(sockets) = self.rooms.get_mut(room) else { return };
        sockets.swap_remove(&id);
        if sockets.is_empty() {
            self.rooms.remove(room);
            if let Room::Named(name) = room {
                self.names.remove(name);
            }
        }
    }

    pub(super) fn everyone(&self) -> &Sockets {
        &self.everyone
    }

    /// The names of the rooms that have sockets, sorted.
    pub(super) fn names(&self) -> &BTreeSet<RoomName> {
        &self.names
    }

    /// The sockets in a named room. `None` if there are none.
    pub(super) fn room(&self, room: &Room) -> Option<&Sockets> {
        self.rooms.get(room)
    }

    pub(super) fn user_of(&self, id: SocketId) -> Option<&User> {
        self.subscriptions.get(&id).map(|of_socket| &of_socket.user)
    }

    pub(super) fn rooms_of(&self, id: SocketId) -> Option<&HashSet<Room>> {
        self.subscriptions.get(&id).map(|of_socket| &of_socket.rooms)
    }

    pub(super) fn sockets_of(&self, user: &UserId) -> &[Arc<Socket>] {
        self.users.get(user).map_or(&[], Vec::as_slice)
    }

    /// Whether at least one socket would receive an event.
    pub(super) fn has_receivers(&self, to: To<'_>) -> bool {
        match to {
            To::Everyone => !self.everyone.is_empty(),
            To::Room(Room::Direct(direct)) => direct.users().any(|user| self.users.contains_key(user)),
            To::Room(room @ Room::Named(_)) => self.rooms.contains_key(room),
            To::User(user) => self.users.contains_key(user),
            To::Socket(id) => self.everyone.contains_key(&id),
            To::Any(all) => all.iter().any(|to| self.has_receivers(*to)),
        }
    }

    /// Calls `tell` once for each socket that receives the event. Excluded sockets are skipped.
    pub(super) fn each(&self, outgoing: &Outgoing<'_>, tell: &mut dyn FnMut(&Arc<Socket>)) {
        let mut excepted = HashSet::new();
        for to in outgoing.except_any {
            self.each_of(*to, &mut |socket| {
                excepted.insert(socket.id);
            });
        }
        let mut tell = |socket: &Arc<Socket>| {
            if outgoing.except != Some(socket.id) && !excepted.contains(&socket.id) {
                tell(socket);
            }
        };
        let To::Any(_) = outgoing.to else { return self.each_of(outgoing.to, &mut tell) };
        let mut told = HashSet::new();
        self.each_of(outgoing.to, &mut |socket| {
            if told.insert(socket.id) {
                tell(socket);
            }
        });
    }

    /// Calls `tell` for each receiver. With [`To::Any`], `tell` may be called several times for the same socket.
    /// Otherwise it is called once for each socket, also for a direct message of a user to themselves: `direct.users()`
    /// then has one user.
    pub(super) fn each_of(&self, to: To<'_>, tell: &mut dyn FnMut(&Arc<Socket>)) {
        match to {
            To::Everyone => self.everyone.values().for_each(tell),
            To::Room(room @ Room::Named(_)) => {
                self.rooms.get(room).into_iter().flat_map(IndexMap::values).for_each(tell);
            }
            To::Room(Room::Direct(direct)) => {
                direct.users().filter_map(|user| self.users.get(user)).flatten().for_each(tell);
            }
            To::User(user) => self.users.get(user).into_iter().flatten().for_each(tell),
            To::Socket(id) => self.everyone.get(&id).into_iter().for_each(tell),
            To::Any(all) => all.iter().for_each(|to| self.each_of(*to, tell)),
        }
    }
}
