//! Tracks which users are typing in which room. A user stops typing after [`EXPIRES`] without another `typing` event.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{
    deadlines::{Deadlines, Ticket},
    hub::{Hub, To},
    model::{Room, SocketId, User},
    protocol::Typing,
};

/// How long a user counts as typing after a `typing` event.
const EXPIRES: Duration = Duration::from_secs(5);

/// The users who are typing, by socket and room.
pub struct TypingNow {
    hub: Arc<Hub>,
    active: Mutex<HashMap<SocketId, HashMap<Room, Active>>>,
    /// Inserted into and removed from while `active` is locked.
    deadlines: Deadlines<(SocketId, Room)>,
}

/// A user who is typing.
struct Active {
    user: User,
    expires: Ticket,
}

impl TypingNow {
    /// Creates an empty registry.
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, active: Mutex::default(), deadlines: Deadlines::new() }
    }

    /// Records that a user is typing in a room, or has stopped, and tells the other sockets.
    pub fn set(&self, socket: SocketId, user: &User, room: Room, typing: bool) {
        if typing {
            self.start(socket, user, &room);
        } else {
            self.take_if(socket, &room, |_| true);
        }
        self.tell(socket, user, &room, typing);
    }

    /// Records that a socket's user has stopped typing in all rooms, and tells the other sockets.
    pub fn stop(&self, socket: SocketId) {
        let stopped = {
            let mut active = self.active.lock();
            let Some(stopped) = active.remove(&socket) else { return };
            for typing in stopped.values() {
                self.deadlines.remove(typing.expires);
            }
            stopped
        };
        for (room, typing) in stopped {
            self.tell(socket, &typing.user, &room, false);
        }
    }

    /// Removes expired entries and tells the other sockets, forever.
    pub async fn run(&self) {
        loop {
            for (ticket, (socket, room)) in self.deadlines.due().await {
                if let Some(expired) = self.take_if(socket, &room, |typing| typing.expires == ticket) {
                    self.tell(socket, &expired.user, &room, false);
                }
            }
        }
    }

    /// Inserts an entry, or prolongs it.
    fn start(&self, socket: SocketId, user: &User, room: &Room) {
        let (expires, key) = (Instant::now() + EXPIRES, (socket, room.clone()));
        let mut active = self.active.lock();
        match active.entry(socket).or_default().entry(room.clone()) {
            Entry::Occupied(mut typing) => {
                let expires = self.deadlines.reset(typing.get().expires, expires, key);
                typing.insert(Active { user: user.clone(), expires });
            }
            Entry::Vacant(place) => {
                place.insert(Active { user: user.clone(), expires: self.deadlines.insert(expires, key) });
            }
        }
    }

    /// Removes a socket's entry for a room, if there is one and the condition holds.
    fn take_if(&self, socket: SocketId, room: &Room, condition: impl FnOnce(&Active) -> bool) -> Option<Active> {
        let mut active = self.active.lock();
        let rooms = active.get_mut(&socket)?;
        if !condition(rooms.get(room)?) {
            return None;
        }
        let taken = rooms.remove(room)?;
        if rooms.is_empty() {
            active.remove(&socket);
        }
        self.deadlines.remove(taken.expires);
        Some(taken)
    }

    /// Emits `typing` to the room, except to the socket; in a direct message, to the other user. The event is volatile.
    fn tell(&self, socket: SocketId, user: &User, room: &Room, typing: bool) {
        let event = |reader| Typing { room: room.for_reader(reader), user: user.clone(), typing };
        match room {
            Room::Named(_) => self.hub.tell_volatile(To::Room(room), Some(socket), &event(&user.id)),
            Room::Direct(direct) => {
                for reader in direct.users().filter(|reader| **reader != user.id) {
                    self.hub.tell_volatile(To::User(reader), None, &event(reader));
                }
            }
        }
    }
}
