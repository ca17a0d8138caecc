//! The only emitter. A hub knows the sockets of one namespace, which rooms each of them hears, and puts events
//! into their queues.

mod device;
mod hubs;
mod outgoing;
mod run;
mod sending;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Bound,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64},
    },
};

use indexmap::IndexMap;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use device::Device;
pub use hubs::Hubs;
use outgoing::encode;
pub use outgoing::{Answered, Encoded, Outgoing};

use self::run::Run;
use crate::{
    engine::{Application, Engine, Socket},
    metrics::Metrics,
    model::{Room, RoomName, SocketId, User, UserId},
    turn::{self, Keeper},
};

/// Who is to hear an event.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum To<'a> {
    /// Every socket of the namespace.
    Everyone,
    /// The sockets that hear a room; in a direct message, those of both users.
    Room(&'a Room),
    /// All sockets of a user.
    User(&'a UserId),
    /// One socket.
    Socket(SocketId),
    /// All of these, each socket once.
    Any(&'a [To<'a>]),
}

/// A socket that hears an event.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Its id.
    pub socket: SocketId,
    /// Its id as its client knows it.
    pub client_id: String,
    /// Whose it is.
    pub user: UserId,
}

/// The sockets of one namespace.
pub struct Hub {
    path: Arc<str>,
    engine: Arc<Engine>,
    state: RwLock<State>,
    /// Held while an event is put into queues: everybody hears two events in the same order. In it is what is put
    /// there at the end of a turn, or before anything else is.
    sending: Mutex<Option<Run>>,
    /// Whether there is such a thing, or it is being put there.
    is_behind: AtomicBool,
    this: Weak<dyn Keeper>,
    next_ack: AtomicU64,
    metrics: Metrics,
}

/// In the order in which they are told.
type Sockets = IndexMap<SocketId, Arc<Socket>>;

#[derive(Default)]
struct State {
    everyone: Sockets,
    heard: HashMap<SocketId, Heard>,
    users: HashMap<UserId, Vec<Arc<Socket>>>,
    rooms: HashMap<Room, Sockets>,
    /// The names of those rooms that have one, ordered, so that a page of them costs no more than it holds.
    names: BTreeSet<RoomName>,
}

struct Heard {
    user: User,
    rooms: HashSet<Room>,
}

impl Hub {
    /// Of the namespace with this path.
    pub(crate) fn new(path: &str, engine: Arc<Engine>, metrics: Metrics) -> Arc<Self> {
        Arc::new_cyclic(|this: &Weak<Self>| Self {
            path: path.into(),
            engine,
            state: RwLock::default(),
            sending: Mutex::default(),
            is_behind: AtomicBool::new(false),
            this: this.clone(),
            next_ack: AtomicU64::new(0),
            metrics,
        })
    }

    /// A socket can hear from the moment on in which `connect` lets it in, if that does: what is told after its client
    /// has read CONNECT reaches it.
    pub(crate) fn attach(&self, socket: &Arc<Socket>, user: &User, connect: impl FnOnce() -> bool) -> bool {
        let mut state = self.state_mut();
        if !connect() {
            return false;
        }
        state.heard.insert(socket.id, Heard { user: user.clone(), rooms: HashSet::new() });
        state.users.entry(user.id.clone()).or_default().push(socket.clone());
        state.everyone.insert(socket.id, socket.clone());
        true
    }

    /// A socket is gone. Returns the rooms it heard.
    pub(crate) fn detach(&self, id: SocketId) -> HashSet<Room> {
        let mut state = self.state_mut();
        state.everyone.swap_remove(&id);
        let Some(heard) = state.heard.remove(&id) else { return HashSet::new() };
        if let Some(sockets) = state.users.get_mut(&heard.user.id) {
            sockets.retain(|socket| socket.id != id);
            if sockets.is_empty() {
                state.users.remove(&heard.user.id);
            }
        }
        for room in &heard.rooms {
            state.leave(id, room);
        }
        heard.rooms
    }

    /// The socket hears a room from now on. False if it did already, or is gone.
    pub(crate) fn subscribe(&self, id: SocketId, room: &Room) -> bool {
        let mut state = self.state_mut();
        let Some(heard) = state.heard.get_mut(&id) else { return false };
        if !heard.rooms.insert(room.clone()) {
            return false;
        }
        let Some(socket) = state.everyone.get(&id).cloned() else { return false };
        let sockets = state.rooms.entry(room.clone()).or_default();
        let is_first = sockets.is_empty();
        sockets.insert(id, socket);
        if is_first && let Room::Named(name) = room {
            state.names.insert(name.clone());
        }
        true
    }

    /// The socket hears a room no longer. False if it did not.
    pub(crate) fn unsubscribe(&self, id: SocketId, room: &Room) -> bool {
        let mut state = self.state_mut();
        if !state.heard.get_mut(&id).is_some_and(|heard| heard.rooms.remove(room)) {
            return false;
        }
        state.leave(id, room);
        true
    }

    /// How many rooms the socket hears.
    pub(crate) fn room_count(&self, id: SocketId) -> usize {
        self.state().heard.get(&id).map_or(0, |heard| heard.rooms.len())
    }

    /// The rooms the socket hears.
    pub fn rooms_of(&self, id: SocketId) -> Vec<Room> {
        self.state().heard.get(&id).map(|heard| heard.rooms.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether the socket hears a room. Direct messages are heard by whoever is one of the two.
    pub fn hears(&self, id: SocketId, room: &Room) -> bool {
        self.state().heard.get(&id).is_some_and(|heard| match room {
            Room::Named(_) => heard.rooms.contains(room),
            Room::Direct(direct) => direct.has(&heard.user.id),
        })
    }

    /// All sockets of a user, those whose client has gone and may come back among them.
    pub fn sockets_of(&self, user: &UserId) -> Vec<SocketId> {
        self.state().users.get(user).map(|sockets| sockets.iter().map(|socket| socket.id).collect()).unwrap_or_default()
    }

    /// The rooms whose names begin like this and that connected sockets hear.
    pub fn rooms(&self, prefix: &str) -> Vec<RoomName> {
        let state = self.state();
        let names = state.names.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let names = names.take_while(|name| name.as_str().starts_with(prefix));
        let is_heard = |name: &&RoomName| {
            let sockets = state.rooms.get(&Room::Named((*name).clone()));
            sockets.is_some_and(|sockets| sockets.values().any(|socket| socket.is_connected()))
        };
        names.filter(is_heard).cloned().collect()
    }

    /// Whose sockets hear a room and are connected: each user once for each socket.
    pub(crate) fn audience(&self, room: &Room) -> Vec<UserId> {
        let state = self.state();
        let mut users = Vec::new();
        state.each_of(To::Room(room), &mut |socket| {
            if socket.is_connected() {
                users.extend(state.heard.get(&socket.id).map(|heard| heard.user.id.clone()));
            }
        });
        users
    }

    /// What is known of a user's sockets, as their clients know them.
    pub(crate) fn devices_of(&self, user: &UserId) -> Vec<Device> {
        let sockets = self.state().users.get(user).cloned().unwrap_or_default();
        sockets.iter().map(|socket| Device::of(socket)).collect()
    }

    /// Whether the socket's handlers were told that its client has gone, or it is over.
    pub(crate) fn is_away(&self, id: SocketId) -> bool {
        self.application(id).is_none_or(|application| application.is_away())
    }

    /// Whether the socket's user may enter a room, as far as their token goes.
    pub(crate) fn may_hear(&self, id: SocketId, room: &Room) -> bool {
        self.application(id).is_some_and(|application| application.may_hear(room))
    }

    fn application(&self, id: SocketId) -> Option<Arc<dyn Application>> {
        let socket = self.state().everyone.get(&id).cloned();
        socket?.application()
    }

    /// Whether any socket hears a room.
    pub(crate) fn is_heard(&self, room: &Room) -> bool {
        self.state().rooms.contains_key(room)
    }

    /// Names of rooms that are heard, in their order.
    pub(crate) fn names_from(&self, start: Bound<&RoomName>, limit: usize) -> Vec<RoomName> {
        self.state().names.range::<RoomName, _>((start, Bound::Unbounded)).take(limit).cloned().collect()
    }

    /// The socket that its client knows by this id.
    pub fn socket(&self, client_id: &str) -> Option<SocketId> {
        let state = self.state();
        if let Ok(id) = client_id.parse::<SocketId>() {
            return state.everyone.contains_key(&id).then_some(id);
        }
        // One of a v2 client outside of the root namespace: they are few, and their ids have a namespace.
        let mut sockets = state.everyone.values().filter(|_| client_id.contains('#'));
        sockets.find(|socket| socket.is_known_as(client_id)).map(|socket| socket.id)
    }

    /// All sockets there are.
    pub fn sockets(&self) -> Vec<SocketId> {
        self.state().everyone.keys().copied().collect()
    }

    /// How many sockets there are.
    pub fn len(&self) -> usize {
        self.state().everyone.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends a socket for good: DISCONNECT goes first, so an unchanged client stays away. With `close`, the client's
    /// whole connection is closed, as Node's `socket.disconnect(true)` does.
    pub fn kick(&self, id: SocketId, close: bool) {
        self.settle();
        // It may end the client's sockets in other namespaces too.
        turn::settle();
        let socket = self.state().everyone.get(&id).cloned();
        if let Some(socket) = socket {
            socket.kick(close);
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// What was told before goes to those who heard it then.
    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.settle();
        self.state.write()
    }
}

impl State {
    fn leave(&mut self, id: SocketId, room: &Room) {
        if let Some(sockets) = self.rooms.get_mut(room) {
            sockets.swap_remove(&id);
            if sockets.is_empty() {
                self.rooms.remove(room);
                if let Room::Named(name) = room {
                    self.names.remove(name);
                }
            }
        }
    }

    fn has_receivers(&self, to: To<'_>) -> bool {
        match to {
            To::Everyone => !self.everyone.is_empty(),
            To::Room(Room::Direct(direct)) => direct.users().any(|user| self.users.contains_key(user)),
            To::Room(room @ Room::Named(_)) => self.rooms.contains_key(room),
            To::User(user) => self.users.contains_key(user),
            To::Socket(id) => self.everyone.contains_key(&id),
            To::Any(all) => all.iter().any(|to| self.has_receivers(*to)),
        }
    }

    /// Calls for each receiver, once.
    fn each(&self, outgoing: &Outgoing<'_>, tell: &mut dyn FnMut(&Arc<Socket>)) {
        let mut left_out = HashSet::new();
        for to in outgoing.except_any {
            self.each_of(*to, &mut |socket| {
                left_out.insert(socket.id);
            });
        }
        let mut tell = |socket: &Arc<Socket>| {
            if outgoing.except != Some(socket.id) && !left_out.contains(&socket.id) {
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

    /// The two users of a direct message are different, or there is only one.
    fn each_of(&self, to: To<'_>, tell: &mut dyn FnMut(&Arc<Socket>)) {
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
