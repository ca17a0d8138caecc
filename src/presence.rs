//! Presence: which users are in which room of the root namespace. A user is in a room while at least one of their
//! sockets is subscribed, and for `presence.grace` after the last one has gone. Changes are announced by
//! `presence-changed`.

mod burst;
mod rooms;
#[cfg(test)]
mod tests;
mod typing;

use std::{ops::Bound, sync::Arc, time::Instant};

use parking_lot::Mutex;

use rooms::{Effect, Rooms};
pub use typing::TypingNow;

use crate::{
    config::PresenceConfig,
    deadlines::{Deadlines, Ticket},
    hub::{Hub, To},
    model::{Room, RoomName, RoomRef, SocketId, User, UserId},
    protocol::{PresenceChanged, USERS_MAX},
};

/// The users in each room, and the task that announces changes.
pub struct Presence {
    config: PresenceConfig,
    hub: Arc<Hub>,
    lobby: RoomName,
    rooms: Mutex<Rooms>,
    /// Inserted into and removed from while `rooms` is locked.
    deadlines: Deadlines<Deadline>,
}

/// What happens at a deadline.
enum Deadline {
    /// The user leaves the room, unless a socket of theirs has come back.
    GraceEnds(RoomName, UserId),
    /// The changes in the room are announced.
    BurstEnds(RoomName),
}

impl Presence {
    /// Creates an empty registry. A user counts as online while in `lobby`.
    pub fn new(config: PresenceConfig, lobby: RoomName, hub: Arc<Hub>) -> Self {
        Self { config, hub, lobby, rooms: Mutex::default(), deadlines: Deadlines::new() }
    }

    /// Records that a socket of the user is subscribed to a room. Recording it twice has no effect.
    pub fn came(&self, room: &RoomName, user: &User, socket: SocketId) {
        let mut rooms = self.rooms.lock();
        let effect = rooms.add(room, user, socket);
        self.apply(effect, room);
    }

    /// Records that a socket of the user is not subscribed to a room any more, or is away. True if it was the user's
    /// last socket in the room: the grace begins.
    pub fn went(&self, room: &RoomName, user: &UserId, socket: SocketId) -> bool {
        let mut rooms = self.rooms.lock();
        rooms.remove_socket(room, user, socket, || {
            let end = Instant::now() + self.config.grace;
            self.deadlines.insert(end, Deadline::GraceEnds(room.clone(), user.clone()))
        })
    }

    /// Records that a user has left a room, with all their sockets and without grace.
    pub fn left(&self, room: &RoomName, user: &UserId) {
        let mut rooms = self.rooms.lock();
        let effect = rooms.remove_user(room, user);
        self.apply(effect, room);
    }

    /// Whether the user is online: in the lobby, the grace included.
    pub fn is_online(&self, user: &UserId) -> bool {
        self.user(user).is_some()
    }

    /// The user, under the name of the socket with which they came online; `None` if they are offline.
    pub fn user(&self, user: &UserId) -> Option<User> {
        self.rooms.lock().get(&self.lobby)?.user(user).cloned()
    }

    /// The first [`USERS_MAX`] users in the room by their ids, sorted by their names, and the number of all.
    pub fn in_room(&self, room: &RoomName) -> (Vec<User>, usize) {
        let mut rooms = self.rooms.lock();
        let Some(in_room) = rooms.read(room) else { return (Vec::new(), 0) };
        let mut users: Vec<User> = in_room.users(Bound::Unbounded).take(USERS_MAX).cloned().collect();
        users.sort_by(|one, other| one.name.cmp(&other.name));
        (users, in_room.user_count())
    }

    /// At most `limit` users in the room, in the order of their ids, beginning after this id.
    pub fn after(&self, room: &RoomName, after: Option<&UserId>, limit: usize) -> Vec<User> {
        let rooms = self.rooms.lock();
        let Some(in_room) = rooms.get(room) else { return Vec::new() };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        in_room.users(start).take(limit).cloned().collect()
    }

    /// The number of users in the room.
    pub fn count(&self, room: &RoomName) -> usize {
        self.rooms.lock().get(room).map_or(0, |in_room| in_room.user_count())
    }

    /// All users in the room, in the order of their ids.
    pub fn everyone_in(&self, room: &RoomName) -> Vec<User> {
        let mut rooms = self.rooms.lock();
        rooms.read(room).map_or_else(Vec::new, |in_room| in_room.users(Bound::Unbounded).cloned().collect())
    }

    /// Whether the room has more users than `presence.max-room-size`: changes are announced as a number only.
    pub fn is_crowded(&self, room: &RoomName) -> bool {
        self.count(room) > self.config.max_room_size
    }

    /// Announces changes, forever.
    pub async fn run(&self) {
        loop {
            for (ticket, deadline) in self.deadlines.due().await {
                if let Some((room, event)) = self.act(ticket, deadline) {
                    self.hub.tell(To::Room(&Room::Named(room)), &event);
                }
            }
        }
    }

    /// Acts on a deadline that has come. Returns the event for a room where there is one.
    fn act(&self, ticket: Ticket, deadline: Deadline) -> Option<(RoomName, PresenceChanged)> {
        let mut rooms = self.rooms.lock();
        match deadline {
            Deadline::GraceEnds(room, user) => {
                let effect = rooms.end_grace(&room, &user, ticket);
                self.apply(effect, &room);
                None
            }
            Deadline::BurstEnds(room) => {
                let (changes, user_count) = rooms.end_burst(&room)?;
                let (joined, left) =
                    if user_count <= self.config.max_room_size { changes.into_users() } else { Default::default() };
                let event = PresenceChanged { room: RoomRef::Named(room.clone()), joined, left, user_count };
                Some((room, event))
            }
        }
    }

    /// Removes and sets the deadlines that follow from a change.
    fn apply(&self, effect: Effect, room: &RoomName) {
        if let Some(grace) = effect.ended_grace {
            self.deadlines.remove(grace);
        }
        if let Some(burst) = effect.burst {
            self.deadlines.insert(Instant::now() + burst, Deadline::BurstEnds(room.clone()));
        }
    }
}
