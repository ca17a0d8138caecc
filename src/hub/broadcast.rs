//! The builder of an emit, as in Node: `to(a).to(b).except(c).volatile().emit(...)`.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use smallvec::SmallVec;

use super::{
    Hub,
    client_ack::ClientAck,
    encoded::{Encoded, check_name},
    outgoing::Outgoing,
    remote_socket::RemoteSocket,
    to::To,
    turn::Turn,
};
use crate::{
    error::Result,
    model::{Room, RoomName, SocketId, UserId},
    protocol::{FromArguments, Payload, ServerEvent},
};

/// Who receives an event: a room, a socket or a user. A text is a room's name. As in Node, a socket's id is also the
/// name of a room that holds only this socket.
#[derive(Debug, Clone)]
pub struct Target(TargetKind);

#[derive(Debug, Clone)]
enum TargetKind {
    /// A room, and the socket whose id is the room's name.
    Room(Room),
    /// A text that cannot be a room's name where there is a chat. It may still be a socket's id.
    OtherName(Room),
    Socket(SocketId),
    User(UserId),
}

impl From<&str> for Target {
    fn from(name: &str) -> Self {
        Self(match RoomName::parse(name) {
            Ok(name) => TargetKind::Room(Room::Named(name)),
            Err(_) => TargetKind::OtherName(Room::Named(RoomName::of_application(name))),
        })
    }
}

impl From<String> for Target {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<&String> for Target {
    fn from(name: &String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<SocketId> for Target {
    fn from(socket: SocketId) -> Self {
        Self(TargetKind::Socket(socket))
    }
}

impl From<UserId> for Target {
    fn from(user: UserId) -> Self {
        Self(TargetKind::User(user))
    }
}

impl From<&UserId> for Target {
    fn from(user: &UserId) -> Self {
        Self(TargetKind::User(user.clone()))
    }
}

/// Targets, without an allocation for the first: most events have one.
type Targets = SmallVec<[Target; 1]>;

/// The receivers of an event in one namespace, or in all namespaces of a pattern, and the options of the emit: Node's
/// `BroadcastOperator`. It borrows nothing, so it can be stored and moved into a task. Without [`Self::to`], the
/// receivers are all sockets of the namespace.
#[derive(Clone)]
#[must_use = "nothing is sent without `emit`"]
pub struct Broadcast {
    /// `None` if the namespace does not exist now: then there are no receivers.
    hub: Option<Arc<Hub>>,
    /// The hubs of the other namespaces, if the receivers are in all namespaces of a pattern.
    others: Vec<Arc<Hub>>,
    to: Targets,
    except: Vec<Target>,
    /// The socket that emits, if it must not receive the event itself.
    sender: Option<SocketId>,
    is_volatile: bool,
    timeout: Option<Duration>,
    /// The event whose handler emits.
    turn: Option<Arc<dyn Turn>>,
}

impl Broadcast {
    /// A broadcast to a namespace. `turn` is the event whose handler emits: a handler that waits for acknowledgements
    /// lets the next event begin, since a client may need it to answer.
    pub(crate) fn new(hub: Option<Arc<Hub>>, turn: Option<Arc<dyn Turn>>) -> Self {
        Self {
            hub,
            others: Vec::new(),
            to: Targets::new(),
            except: Vec::new(),
            sender: None,
            is_volatile: false,
            timeout: None,
            turn,
        }
    }

    /// A broadcast to all these namespaces.
    pub(crate) fn of_all(mut hubs: Vec<Arc<Hub>>, turn: Option<Arc<dyn Turn>>) -> Self {
        let hub = hubs.pop();
        Self { others: hubs, ..Self::new(hub, turn) }
    }

    fn hubs(&self) -> impl Iterator<Item = &Arc<Hub>> {
        self.hub.iter().chain(&self.others)
    }

    /// Excludes the socket that emits.
    pub(crate) fn from(mut self, sender: SocketId) -> Self {
        self.sender = Some(sender);
        self
    }

    /// Adds receivers: a room's name, a `SocketId` or a `UserId`. A socket that several of them include receives the
    /// event once.
    pub fn to(mut self, target: impl Into<Target>) -> Self {
        self.to.push(target.into());
        self
    }

    /// The same as [`Self::to`]; `in` is a keyword in Rust.
    pub fn in_room(self, target: impl Into<Target>) -> Self {
        self.to(target)
    }

    /// Excludes receivers: a room's name, a `SocketId` or a `UserId`.
    pub fn except(mut self, target: impl Into<Target>) -> Self {
        self.except.push(target.into());
        self
    }

    /// Makes the event volatile: a socket does not get it if its client is away, or not ready to receive it at once.
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// Limits the event to the sockets of this node. One server is one node today, so this changes nothing.
    pub fn local(self) -> Self {
        self
    }

    /// Sets how long [`Self::emit_with_ack`] waits. Without a timeout it waits until each client has acknowledged or
    /// disconnected.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Emits an event. `unavailable` if Socket.IO reserves its name or the payload cannot be written, `too-large` if it
    /// has more attachments than `limits.attachments`.
    pub fn emit(&self, event: &str, payload: impl Payload) -> Result<()> {
        self.send(event, || Encoded::named(event, &payload))
    }

    /// Emits an event whose name is [`ServerEvent::NAME`]. Errors as with [`Self::emit`].
    pub fn emit_event<E: ServerEvent>(&self, event: &E) -> Result<()> {
        self.send(E::NAME, || Encoded::of(event))
    }

    /// Emits an event and waits for the acknowledgements of all connected receivers. Each result is `unavailable` if
    /// the client disconnects or does not answer in time, and `bad-payload` if `T` cannot be read from its answer.
    ///
    /// # Errors
    ///
    /// As with [`Self::emit`]; then nothing was sent.
    pub async fn emit_with_ack<T: FromArguments>(
        &self,
        event: &str,
        payload: impl Payload,
    ) -> Result<Vec<(SocketId, Result<T>)>> {
        let event = Encoded::named(event, &payload)?;
        drop(payload);
        let ask =
            |hub: &Arc<Hub>| self.receivers(hub, |to, except| hub.ask_each(&self.outgoing(event.clone(), to, except)));
        let asking: Vec<_> = self.hubs().map(ask).collect::<Result<_>>()?;
        drop(event);
        if let Some(turn) = &self.turn {
            turn.release();
        }
        let answers = join_all(asking.into_iter().map(|asking| asking.answers(self.timeout))).await;
        let read = |(id, answered): (SocketId, Result<ClientAck>)| (id, answered.and_then(|answered| answered.read()));
        Ok(answers.into_iter().flatten().map(read).collect())
    }

    /// The connected sockets that would receive an event.
    pub async fn fetch_sockets(&self) -> Vec<RemoteSocket> {
        self.ids().into_iter().filter_map(|(hub, id)| RemoteSocket::new(hub, id, self.turn.clone())).collect()
    }

    /// The names of the rooms of the namespace that connected sockets are in, sorted.
    pub(crate) fn all_rooms(&self) -> Vec<String> {
        let mut rooms: Vec<_> = self.hubs().flat_map(|hub| hub.rooms("")).map(|room| room.to_string()).collect();
        rooms.sort_unstable();
        rooms.dedup();
        rooms
    }

    /// Makes these sockets join a room. `bad-payload` if the room's name is not valid. It does not check whether the
    /// users may enter the room, and stores no membership.
    pub fn sockets_join(&self, room: &str) -> Result<()> {
        self.for_each_in(room, |hub, id, room| hub.subscribe(id, room))
    }

    /// Makes these sockets leave a room. `bad-payload` if the room's name is not valid.
    pub fn sockets_leave(&self, room: &str) -> Result<()> {
        self.for_each_in(room, |hub, id, room| hub.unsubscribe(id, room))
    }

    /// Calls `change` for each of these sockets, with the room of this name.
    fn for_each_in(&self, room: &str, change: impl Fn(&Hub, SocketId, &Room) -> bool) -> Result<()> {
        // All hubs are of one server.
        let Some(hub) = self.hubs().next() else { return Ok(()) };
        let room = hub.room_named(room)?;
        for (hub, id) in self.ids() {
            change(&hub, id, &room);
        }
        Ok(())
    }

    /// Disconnects these sockets. A Socket.IO client then does not reconnect by itself, and cannot recover its socket.
    /// With `close`, the clients' whole connections are closed.
    pub fn disconnect_sockets(&self, close: bool) {
        for (hub, id) in self.ids() {
            hub.kick(id, close);
        }
    }

    /// Sends an event. `write` encodes it, and is called only if there are receivers.
    fn send(&self, name: &str, write: impl FnOnce() -> Result<Encoded>) -> Result<()> {
        check_name(name)?;
        let (mut write, mut written) = (Some(write), None);
        for hub in self.hubs() {
            self.receivers(hub, |to, except| {
                if !hub.has_receivers(to) {
                    return Ok(());
                }
                if let Some(write) = write.take() {
                    written = Some(write()?);
                }
                // There is another namespace to come if this is one of several.
                let event = if self.others.is_empty() { written.take() } else { written.clone() };
                event.map_or(Ok(0), |event| hub.send(&self.outgoing(event, to, except))).map(drop)
            })?;
        }
        Ok(())
    }

    fn ids(&self) -> Vec<(Arc<Hub>, SocketId)> {
        let of_hub = |hub: &Arc<Hub>| {
            let no_event = Encoded::received(String::new(), Vec::new());
            let receivers = self.receivers(hub, |to, except| hub.receivers(&self.outgoing(no_event, to, except)));
            receivers.into_iter().map(|receiver| (hub.clone(), receiver.socket)).collect::<Vec<_>>()
        };
        self.hubs().flat_map(of_hub).collect()
    }

    fn outgoing<'a>(&self, event: Encoded, to: To<'a>, except: &'a [To<'a>]) -> Outgoing<'a> {
        let mut outgoing = Outgoing::new(to, event).except_any(except);
        outgoing.except = self.sender;
        outgoing.is_volatile = self.is_volatile;
        outgoing
    }

    /// Calls `use_them` with the receivers and the exceptions.
    fn receivers<T>(&self, hub: &Hub, use_them: impl FnOnce(To<'_>, &[To<'_>]) -> T) -> T {
        // Each target adds at most two: a name is a room's, and perhaps also a socket's.
        let (mut to, mut except) = (SmallVec::<[To<'_>; 2]>::new(), SmallVec::<[To<'_>; 2]>::new());
        for target in &self.to {
            target.add(hub, &mut to);
        }
        for target in &self.except {
            target.add(hub, &mut except);
        }
        match to.as_slice() {
            _ if self.to.is_empty() => use_them(To::Everyone, &except),
            [one] => use_them(*one, &except),
            several => use_them(To::Any(several), &except),
        }
    }
}

impl Target {
    /// Adds this target's receivers to `to`.
    fn add<'a>(&'a self, hub: &Hub, to: &mut SmallVec<[To<'a>; 2]>) {
        match &self.0 {
            TargetKind::Room(room) | TargetKind::OtherName(room) => {
                if matches!(self.0, TargetKind::Room(_)) || !hub.has_chat() {
                    to.push(To::Room(room));
                }
                if let Room::Named(name) = room {
                    to.extend(hub.socket(name.as_str()).map(To::Socket));
                }
            }
            TargetKind::Socket(id) => to.push(To::Socket(*id)),
            TargetKind::User(user) => to.push(To::User(user)),
        }
    }
}
