//! The only emitter. A hub knows the sockets of one namespace, which rooms each of them hears, and puts events
//! into their queues.

mod device;
mod hubs;
mod outgoing;
mod run;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Bound,
    sync::{
        Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use indexmap::IndexMap;
use socketioxide_core::Sid;

pub use device::Device;
pub use hubs::Hubs;
pub use outgoing::{Answered, Encoded, Outgoing, encode};

use self::run::Run;
use crate::{
    engine::{Application, Batch, Engine, Frame, Session},
    error::{Error, Result},
    metrics::Metrics,
    model::{Room, RoomName, User, UserId},
    protocol::{Arguments, ServerEvent},
    turn::{self, Keeper},
};

/// A socket's id, as its client knows it too.
pub type SocketId = Sid;

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
type Sockets = IndexMap<SocketId, Arc<Session>>;

#[derive(Default)]
struct State {
    everyone: Sockets,
    heard: HashMap<SocketId, Heard>,
    users: HashMap<UserId, Vec<Arc<Session>>>,
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
    pub(crate) fn attach(&self, session: &Arc<Session>, user: &User, connect: impl FnOnce() -> bool) -> bool {
        let mut state = self.state_mut();
        if !connect() {
            return false;
        }
        state.heard.insert(session.id, Heard { user: user.clone(), rooms: HashSet::new() });
        state.users.entry(user.id.clone()).or_default().push(session.clone());
        state.everyone.insert(session.id, session.clone());
        true
    }

    /// A socket is gone. Returns the rooms it heard.
    pub fn detach(&self, socket: SocketId) -> HashSet<Room> {
        let mut state = self.state_mut();
        state.everyone.swap_remove(&socket);
        let Some(heard) = state.heard.remove(&socket) else { return HashSet::new() };
        if let Some(sockets) = state.users.get_mut(&heard.user.id) {
            sockets.retain(|session| session.id != socket);
            if sockets.is_empty() {
                state.users.remove(&heard.user.id);
            }
        }
        for room in &heard.rooms {
            state.leave(socket, room);
        }
        heard.rooms
    }

    /// The socket hears a room from now on. False if it did already, or is gone.
    pub fn subscribe(&self, socket: SocketId, room: &Room) -> bool {
        let mut state = self.state_mut();
        let Some(heard) = state.heard.get_mut(&socket) else { return false };
        if !heard.rooms.insert(room.clone()) {
            return false;
        }
        let Some(session) = state.everyone.get(&socket).cloned() else { return false };
        let sockets = state.rooms.entry(room.clone()).or_default();
        let is_first = sockets.is_empty();
        sockets.insert(socket, session);
        if is_first && let Room::Named(name) = room {
            state.names.insert(name.clone());
        }
        true
    }

    /// The socket hears a room no longer. False if it did not.
    pub fn unsubscribe(&self, socket: SocketId, room: &Room) -> bool {
        let mut state = self.state_mut();
        if !state.heard.get_mut(&socket).is_some_and(|heard| heard.rooms.remove(room)) {
            return false;
        }
        state.leave(socket, room);
        true
    }

    /// How many rooms the socket hears.
    pub fn room_count(&self, socket: SocketId) -> usize {
        self.state().heard.get(&socket).map_or(0, |heard| heard.rooms.len())
    }

    /// The rooms the socket hears.
    pub fn rooms_of(&self, socket: SocketId) -> Vec<Room> {
        self.state().heard.get(&socket).map(|heard| heard.rooms.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether the socket hears a room. Direct messages are heard by whoever is one of the two.
    pub fn hears(&self, socket: SocketId, room: &Room) -> bool {
        self.state().heard.get(&socket).is_some_and(|heard| match room {
            Room::Named(_) => heard.rooms.contains(room),
            Room::Direct(direct) => direct.has(&heard.user.id),
        })
    }

    /// All sockets of a user, those whose client has gone and may come back among them.
    pub fn sockets_of(&self, user: &UserId) -> Vec<SocketId> {
        self.state()
            .users
            .get(user)
            .map(|sockets| sockets.iter().map(|session| session.id).collect())
            .unwrap_or_default()
    }

    /// The rooms whose names begin like this and that connected sockets hear.
    pub fn rooms(&self, prefix: &str) -> Vec<RoomName> {
        let state = self.state();
        let names = state.names.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let names = names.take_while(|name| name.as_str().starts_with(prefix));
        let is_heard = |name: &&RoomName| {
            let sockets = state.rooms.get(&Room::Named((*name).clone()));
            sockets.is_some_and(|sockets| sockets.values().any(|session| session.is_connected()))
        };
        names.filter(is_heard).cloned().collect()
    }

    /// Whose sockets hear a room and are connected: each user once for each socket.
    pub fn audience(&self, room: &Room) -> Vec<UserId> {
        let state = self.state();
        let mut users = Vec::new();
        state.each_of(To::Room(room), &mut |session| {
            if session.is_connected() {
                users.extend(state.heard.get(&session.id).map(|heard| heard.user.id.clone()));
            }
        });
        users
    }

    /// What is known of a user's sockets, as their clients know them.
    pub fn devices_of(&self, user: &UserId) -> Vec<Device> {
        let sessions = self.state().users.get(user).cloned().unwrap_or_default();
        sessions.iter().map(|session| Device::of(session)).collect()
    }

    /// Whether the socket's handlers were told that its client has gone, or it is over.
    pub fn is_away(&self, socket: SocketId) -> bool {
        self.application(socket).is_none_or(|application| application.is_away())
    }

    /// Whether the socket's user may enter a room, as far as their token goes.
    pub fn may_hear(&self, socket: SocketId, room: &Room) -> bool {
        self.application(socket).is_some_and(|application| application.may_hear(room))
    }

    fn application(&self, socket: SocketId) -> Option<Arc<dyn Application>> {
        let session = self.state().everyone.get(&socket).cloned();
        session?.application()
    }

    /// Whether any socket hears a room.
    pub fn is_heard(&self, room: &Room) -> bool {
        self.state().rooms.contains_key(room)
    }

    /// Names of rooms that are heard, in their order.
    pub fn names_from(&self, start: Bound<&RoomName>, limit: usize) -> Vec<RoomName> {
        self.state().names.range::<RoomName, _>((start, Bound::Unbounded)).take(limit).cloned().collect()
    }

    /// The socket that its client knows by this id.
    pub fn socket(&self, client_id: &str) -> Option<SocketId> {
        let state = self.state();
        if let Ok(socket) = client_id.parse::<SocketId>() {
            return state.everyone.contains_key(&socket).then_some(socket);
        }
        // One of a v2 client outside of the root namespace: they are few, and their ids have a namespace.
        let mut sessions = state.everyone.values().filter(|_| client_id.contains('#'));
        sessions.find(|session| session.is_known_as(client_id)).map(|session| session.id)
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

    /// Emits an event: puts it into the queues of those who are to hear it, and into the logs of those who may have
    /// gone for a moment. What follows one commit and goes to one room is put there together, at the end of the turn.
    pub fn emit<E: ServerEvent>(&self, to: To<'_>, event: &E) {
        // What nobody hears is not even written.
        if !self.state().has_receivers(to) {
            return;
        }
        let outgoing = Outgoing::new(to, encode(event));
        match to {
            To::Room(room) if Run::is_for(&outgoing) && turn::keep(&self.this) => self.keep(room, outgoing.event),
            _ => drop(self.send(&outgoing)),
        }
    }

    /// Emits an event to all but one socket.
    pub fn emit_except<E: ServerEvent>(&self, to: To<'_>, except: SocketId, event: &E) {
        self.send(&Outgoing::new(to, encode(event)).except(except));
    }

    fn keep(&self, room: &Room, event: Encoded) {
        let mut batch = self.engine.batch();
        let mut sending = self.sending();
        let event = match sending.as_mut() {
            None => event,
            Some(run) => match run.push(room, event) {
                Ok(()) => return,
                Err(event) => event,
            },
        };
        self.catch_up(&mut sending, &mut batch);
        *sending = Some(Run::of(room, event));
        self.is_behind.store(true, Ordering::Release);
    }

    /// Emits an event as [`Self::emit`] does, at once. Returns into how many queues and logs it was put.
    pub fn send(&self, outgoing: &Outgoing<'_>) -> usize {
        let mut batch = self.engine.batch();
        let mut frame = None;
        let mut delivered = 0;
        let mut sending = self.sending();
        self.catch_up(&mut sending, &mut batch);
        self.state().each(outgoing, &mut |session| {
            let frame = frame.get_or_insert_with(|| self.frame(&outgoing.event));
            delivered += usize::from(session.deliver(frame, outgoing.is_volatile, &mut batch));
        });
        drop(sending);
        self.metrics.deliveries.increment(delivered as u64);
        delivered
    }

    /// An event with its offset. Their order is that of the frames only while `sending` is held.
    fn frame(&self, (json, attachments): &Encoded) -> Arc<Frame> {
        Frame::event(&self.path, None, json, attachments.clone(), self.engine.offsets())
    }

    /// Answers an event of a socket, after what it was told before.
    pub(crate) fn acknowledge(&self, session: &Arc<Session>, id: u64, arguments: Arguments) {
        if self.is_behind.load(Ordering::Acquire) {
            let may_wait = turn::keep(&self.this);
            let mut batch = self.engine.batch();
            let mut sending = self.sending();
            match sending.as_mut() {
                Some(run) if may_wait => return run.answer(session, id, arguments),
                _ => self.catch_up(&mut sending, &mut batch),
            }
        } else {
            // Another namespace of this client may be behind.
            turn::settle();
        }
        let is_sent = session.acknowledge(id, &arguments.json, arguments.attachments);
        self.metrics.deliveries.increment(u64::from(is_sent));
    }

    /// Puts into queues what was kept for the end of a turn: before something that does not pass through here.
    pub(crate) fn settle(&self) {
        if self.is_behind.load(Ordering::Acquire) {
            let mut batch = self.engine.batch();
            let mut sending = self.sending();
            self.catch_up(&mut sending, &mut batch);
        }
    }

    fn catch_up(&self, sending: &mut Option<Run>, batch: &mut Batch<'_>) {
        if let Some(run) = sending.take() {
            let delivered = run.tell(self, batch);
            // Not before: whoever sees that nothing is behind passes by the lock.
            self.is_behind.store(false, Ordering::Release);
            self.metrics.deliveries.increment(delivered as u64);
        }
    }

    /// The sockets that would hear this now, those whose client has gone for the moment among them.
    pub fn receivers(&self, outgoing: &Outgoing<'_>) -> Vec<Receiver> {
        let state = self.state();
        let mut receivers = Vec::new();
        state.each(outgoing, &mut |session| {
            let user = state.heard.get(&session.id).map(|heard| heard.user.id.clone());
            receivers.extend(user.map(|user| Receiver { socket: session.id, client_id: session.client_id(), user }));
        });
        receivers
    }

    /// Emits an event to one socket and waits for its acknowledgement. `unavailable` where the client has gone or
    /// does not answer in time.
    pub async fn ask<E: ServerEvent>(&self, socket: SocketId, event: &E, timeout: Duration) -> Result<Answered> {
        let (_, answered) = self
            .ask_all(&Outgoing::new(To::Socket(socket), encode(event)), timeout)
            .await
            .pop()
            .ok_or_else(|| Error::unavailable("the client has gone"))?;
        answered
    }

    /// Sends an event to all who are to hear it and waits for their acknowledgements, each of which fails as with
    /// [`Self::ask`], or with `too-large` where all together have more than 4 MB. Those whose client has gone for the moment are not asked.
    pub async fn ask_all(&self, outgoing: &Outgoing<'_>, timeout: Duration) -> Vec<(SocketId, Result<Answered>)> {
        let id = self.next_ack.fetch_add(1, Ordering::Relaxed);
        let asked = {
            let mut batch = self.engine.batch();
            let (json, attachments) = &outgoing.event;
            let frame = Frame::event(&self.path, Some(id), json, attachments.clone(), None);
            let mut asked = Vec::new();
            let mut sending = self.sending();
            self.catch_up(&mut sending, &mut batch);
            self.state().each(outgoing, &mut |session| {
                asked.extend(session.ask(&frame, id, &mut batch).map(|answer| (session.clone(), answer)));
            });
            asked
        };
        let deadline = tokio::time::Instant::now() + timeout;
        let kept = &AtomicUsize::new(0);
        join_all(asked.into_iter().map(|(session, answer)| async move {
            // Whoever stops waiting, for whatever reason, leaves nothing behind.
            let _forget = Asked { session: &session, id };
            let answered = match tokio::time::timeout_at(deadline, answer).await {
                Ok(Ok(answer)) => Answered::within(answer, kept),
                Ok(Err(_)) => Err(Error::unavailable("the client has gone")),
                Err(_) => Err(Error::unavailable("the client did not answer in time")),
            };
            (session.id, answered)
        }))
        .await
    }

    /// Ends a socket for good: DISCONNECT goes first, so an unchanged client stays away. With `close`, the client's
    /// whole connection is closed, as Node's `socket.disconnect(true)` does.
    pub fn kick(&self, socket: SocketId, close: bool) {
        self.settle();
        // It may end the client's sockets in other namespaces too.
        turn::settle();
        let session = self.state().everyone.get(&socket).cloned();
        if let Some(session) = session {
            session.kick(close);
        }
    }

    fn sending(&self) -> MutexGuard<'_, Option<Run>> {
        self.sending.lock().expect("no panic while sending")
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().expect("no panic while telling")
    }

    /// What was told before goes to those who heard it then.
    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.settle();
        self.state.write().expect("no panic while counting")
    }
}

impl Keeper for Hub {
    fn let_go(&self) {
        self.settle();
    }
}

/// An acknowledgement that somebody waits for.
struct Asked<'a> {
    session: &'a Session,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.session.forget(self.id);
    }
}

impl State {
    fn leave(&mut self, socket: SocketId, room: &Room) {
        if let Some(sockets) = self.rooms.get_mut(room) {
            sockets.swap_remove(&socket);
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
            To::Socket(socket) => self.everyone.contains_key(&socket),
            To::Any(all) => all.iter().any(|to| self.has_receivers(*to)),
        }
    }

    /// Calls for each receiver, once.
    fn each(&self, outgoing: &Outgoing<'_>, tell: &mut dyn FnMut(&Arc<Session>)) {
        let mut left_out = HashSet::new();
        for to in outgoing.except_any {
            self.each_of(*to, &mut |session| {
                left_out.insert(session.id);
            });
        }
        let mut tell = |session: &Arc<Session>| {
            if outgoing.except != Some(session.id) && !left_out.contains(&session.id) {
                tell(session);
            }
        };
        let To::Any(_) = outgoing.to else { return self.each_of(outgoing.to, &mut tell) };
        let mut told = HashSet::new();
        self.each_of(outgoing.to, &mut |session| {
            if told.insert(session.id) {
                tell(session);
            }
        });
    }

    /// The two users of a direct message are different, or there is only one.
    fn each_of(&self, to: To<'_>, tell: &mut dyn FnMut(&Arc<Session>)) {
        match to {
            To::Everyone => self.everyone.values().for_each(tell),
            To::Room(room @ Room::Named(_)) => {
                self.rooms.get(room).into_iter().flat_map(IndexMap::values).for_each(tell);
            }
            To::Room(Room::Direct(direct)) => {
                direct.users().filter_map(|user| self.users.get(user)).flatten().for_each(tell);
            }
            To::User(user) => self.users.get(user).into_iter().flatten().for_each(tell),
            To::Socket(socket) => self.everyone.get(&socket).into_iter().for_each(tell),
            To::Any(all) => all.iter().for_each(|to| self.each_of(*to, tell)),
        }
    }
}
