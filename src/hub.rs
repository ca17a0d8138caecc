//! The only emitter. A hub knows the sockets of one namespace, which rooms each of them hears, and puts events
//! into their queues.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, OnceLock},
};

use bytes::Bytes;
use socketioxide::adapter::Emitter;
use socketioxide_core::{
    Sid, Str, Value,
    adapter::{BroadcastFlags, BroadcastOptions, CoreLocalAdapter, errors::SocketError},
    packet::Packet,
};

use crate::{
    metrics::Metrics,
    model::{Room, User, UserId},
    protocol::ServerEvent,
};

/// A socket's id, as its client knows it too.
pub type SocketId = Sid;

/// The library's room of all sockets whose CONNECT has passed. Broadcasting to the namespace instead would
/// reach sockets that are still connecting.
const EVERYONE: &str = "\u{1}all";

/// Who is to hear an event.
#[derive(Debug, Clone, Copy)]
pub enum To<'a> {
    /// Every socket of the namespace.
    Everyone,
    /// The sockets that hear a room; in a direct message, those of both users.
    Room(&'a Room),
    /// All sockets of a user.
    User(&'a UserId),
    /// One socket.
    Socket(SocketId),
}

/// An event on its way out: written once, however many hear it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    data: Value,
    to: BroadcastOptions,
    receivers: usize,
}

/// The sockets of one namespace.
pub struct Hub {
    path: Str,
    local: OnceLock<Arc<dyn Local>>,
    state: Mutex<State>,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    sockets: HashMap<SocketId, Attached>,
    users: HashMap<UserId, HashSet<SocketId>>,
    rooms: HashMap<Room, usize>,
}

struct Attached {
    user: User,
    rooms: HashSet<Room>,
}

/// The library's side of a namespace.
pub(crate) trait Local: Send + Sync {
    fn adapter(&self) -> &CoreLocalAdapter<Emitter>;
}

impl Hub {
    /// Of the namespace with this path.
    pub fn new(path: &str, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self { path: Str::from(path.to_owned()), local: OnceLock::new(), state: Mutex::default(), metrics })
    }

    /// The library has made the namespace.
    pub(crate) fn open(&self, local: Arc<dyn Local>) {
        assert!(self.local.set(local).is_ok(), "a namespace is made once");
    }

    fn local(&self) -> &CoreLocalAdapter<Emitter> {
        self.local.get().expect("the namespace is made before the server listens").adapter()
    }

    /// A socket's CONNECT has passed: from now on it can hear.
    pub fn attach(&self, socket: SocketId, user: &User) {
        let mut state = self.state();
        state.sockets.insert(socket, Attached { user: user.clone(), rooms: HashSet::new() });
        state.users.entry(user.id.clone()).or_default().insert(socket);
        drop(state);
        self.local().add_all(socket, vec![EVERYONE.into(), user_room(&user.id)]);
    }

    /// A socket is gone. Returns the rooms it heard.
    pub fn detach(&self, socket: SocketId) -> HashSet<Room> {
        let mut state = self.state();
        let Some(attached) = state.sockets.remove(&socket) else { return HashSet::new() };
        if let Some(sockets) = state.users.get_mut(&attached.user.id) {
            sockets.remove(&socket);
            if sockets.is_empty() {
                state.users.remove(&attached.user.id);
            }
        }
        for room in &attached.rooms {
            state.one_less(room);
        }
        drop(state);
        self.local().del_all(socket);
        attached.rooms
    }

    /// The socket hears a room from now on. False if it did already, or is gone.
    pub fn subscribe(&self, socket: SocketId, room: &Room) -> bool {
        let mut state = self.state();
        let Some(attached) = state.sockets.get_mut(&socket) else { return false };
        if !attached.rooms.insert(room.clone()) {
            return false;
        }
        *state.rooms.entry(room.clone()).or_default() += 1;
        self.local().add_all(socket, room.key().into_owned());
        true
    }

    /// The socket hears a room no longer. False if it did not.
    pub fn unsubscribe(&self, socket: SocketId, room: &Room) -> bool {
        let mut state = self.state();
        if !state.sockets.get_mut(&socket).is_some_and(|attached| attached.rooms.remove(room)) {
            return false;
        }
        state.one_less(room);
        self.local().del(socket, room.key().into_owned());
        true
    }

    /// How many rooms the socket hears.
    pub fn room_count(&self, socket: SocketId) -> usize {
        self.state().sockets.get(&socket).map_or(0, |attached| attached.rooms.len())
    }

    /// The rooms the socket hears.
    pub fn rooms_of(&self, socket: SocketId) -> Vec<Room> {
        let state = self.state();
        state.sockets.get(&socket).map(|attached| attached.rooms.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether the socket hears a room. Direct messages are heard by whoever is one of the two.
    pub fn hears(&self, socket: SocketId, room: &Room) -> bool {
        let state = self.state();
        state.sockets.get(&socket).is_some_and(|attached| match room {
            Room::Named(_) => attached.rooms.contains(room),
            Room::Direct(direct) => direct.has(&attached.user.id),
        })
    }

    /// All sockets of a user.
    pub fn sockets_of(&self, user: &UserId) -> Vec<SocketId> {
        self.state().users.get(user).map(|sockets| sockets.iter().copied().collect()).unwrap_or_default()
    }

    /// All sockets there are.
    pub fn sockets(&self) -> Vec<SocketId> {
        self.state().sockets.keys().copied().collect()
    }

    /// How many sockets there are.
    pub fn len(&self) -> usize {
        self.state().sockets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Emits an event.
    pub fn emit<E: ServerEvent>(&self, to: To<'_>, event: &E) {
        let (options, receivers) = self.address(to);
        // What nobody hears is not even written.
        if receivers > 0 {
            self.send(Outgoing::new(encode(event), options, receivers));
        }
    }

    /// Emits an event to all but one socket.
    pub fn emit_except<E: ServerEvent>(&self, to: To<'_>, except: SocketId, event: &E) {
        self.send(self.outgoing(to, encode(event)).except(except));
    }

    /// An event of which the JSON text `["name", ...]` and the attachments exist already.
    pub fn outgoing(&self, to: To<'_>, data: Encoded) -> Outgoing {
        let (options, receivers) = self.address(to);
        Outgoing::new(data, options, receivers)
    }

    /// What the library calls them, and how many they are.
    fn address(&self, to: To<'_>) -> (BroadcastOptions, usize) {
        let mut options = BroadcastOptions::default();
        let state = self.state();
        let receivers = match to {
            To::Everyone => {
                options.rooms.push(EVERYONE.into());
                state.sockets.len()
            }
            To::Room(Room::Direct(direct)) => {
                options.rooms.extend(direct.users().map(user_room));
                direct.users().map(|user| state.users.get(user).map_or(0, HashSet::len)).sum()
            }
            To::Room(room @ Room::Named(_)) => {
                options.rooms.push(room.key().into_owned().into());
                state.rooms.get(room).copied().unwrap_or(0)
            }
            To::User(user) => {
                options.rooms.push(user_room(user));
                state.users.get(user).map_or(0, HashSet::len)
            }
            To::Socket(socket) => {
                options.sid = Some(socket);
                1
            }
        };
        (options, receivers)
    }

    /// Puts an event into the queues of those who are to hear it. What a full queue has no place for is counted.
    pub fn send(&self, outgoing: Outgoing) {
        let Outgoing { data, to, receivers } = outgoing;
        if receivers == 0 {
            return;
        }
        let failed = self.local().broadcast(Packet::event(self.path.clone(), data), to).err();
        self.count(receivers, failed);
    }

    /// Answers an event that asked for it. The text is the JSON array of the acknowledgement's arguments.
    pub(crate) fn acknowledge(&self, socket: SocketId, id: i64, text: String) {
        let packet = Packet::ack(self.path.clone(), Value::Str(Str::from(text), None), id);
        let failed = self.local().broadcast(packet, BroadcastOptions::new(socket)).err();
        self.count(1, failed);
    }

    /// Ends a socket for good: DISCONNECT goes first, so an unchanged client stays away. False where the socket's
    /// queue had no place for it: try again.
    #[must_use]
    pub fn kick(&self, socket: SocketId) -> bool {
        let kicked = self.local().disconnect_socket(BroadcastOptions::new(socket)).is_ok();
        if !kicked {
            self.metrics.emits_queue_full.increment(1);
        }
        kicked
    }

    fn count(&self, receivers: usize, failed: Option<Vec<SocketError>>) {
        let failed = failed.unwrap_or_default();
        let full = failed.iter().filter(|error| matches!(error, SocketError::InternalChannelFull)).count();
        self.metrics.deliveries.increment(receivers.saturating_sub(failed.len()) as u64);
        if !failed.is_empty() {
            self.metrics.emits_queue_full.increment(full as u64);
            self.metrics.emits_closed.increment((failed.len() - full) as u64);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic while counting")
    }
}

impl State {
    fn one_less(&mut self, room: &Room) {
        if let Some(sockets) = self.rooms.get_mut(room) {
            *sockets -= 1;
            if *sockets == 0 {
                self.rooms.remove(room);
            }
        }
    }
}

impl Outgoing {
    fn new((text, attachments): Encoded, to: BroadcastOptions, receivers: usize) -> Self {
        Self { data: Value::Str(Str::from(text), attachments), to, receivers }
    }

    /// Leaves one socket out.
    #[must_use]
    pub fn except(mut self, socket: SocketId) -> Self {
        self.to.add_flag(BroadcastFlags::Broadcast);
        self.to.sid = Some(socket);
        self
    }

    /// May be lost by a socket that is slow at that moment.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.to.add_flag(BroadcastFlags::Volatile);
        self
    }
}

/// The JSON text `["name", ...]` of an event, and its attachments.
pub type Encoded = (String, Option<VecDeque<Bytes>>);

/// Writes an event and its payload.
pub fn encode<E: ServerEvent>(event: &E) -> Encoded {
    let text = serde_json::to_string(&(E::NAME, event)).expect("a payload of ours is plain data");
    (text, None)
}

fn user_room(user: &UserId) -> std::borrow::Cow<'static, str> {
    format!("\u{1}user:{user}").into()
}
