//! Presence: which users are in which room of the root namespace. A user is in a room while at least one of their
//! sockets is connected and subscribed, and for `presence.grace` after that. A socket that is away, which means
//! disconnected but still recoverable, does not count. Changes are announced by `presence-changed`.

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
    /// The user leaves the room, unless one of their sockets has come back.
    GraceEnds(RoomName, UserId),
    /// The changes in the room are announced.
    BurstEnds(RoomName),
}

impl Presence {
    /// Creates an empty registry. A user counts as online while in `lobby`.
    pub fn new(config: PresenceConfig, lobby: RoomName, hub: Arc<Hub>) -> Self {
        Self { config, hub, lobby, rooms: Mutex::default(), deadlines: Deadlines::new() }
    }

    /// Adds a user's socket to a room. Adding it twice has no effect.
    pub fn add_socket(&self, room: &RoomName, user: &User, socket: SocketId) {
        let mut rooms = self.rooms.lock();
        let effect = rooms.add(room, user, socket);
        self.apply(effect, room);
    }

    /// Removes a user's socket from a room: it is not subscribed any more, or is away. True if it was the user's last
    /// socket in the room: the grace (`presence.grace`) begins.
    pub fn remove_socket(&self, room: &RoomName, user: &UserId, socket: SocketId) -> bool {
        let mut rooms = self.rooms.lock();
        rooms.remove_socket(room, user, socket, || {
            let end = Instant::now() + self.config.grace;
            self.deadlines.insert(end, Deadline::GraceEnds(room.clone(), user.clone()))
        })
    }

    /// Adds a user who was in the room at the end of an earlier process. The grace begins, and nothing is announced now,
    /// because the room's clients know that the user is there.
    pub fn restore_user(&self, room: &RoomName, user: &User) {
        let mut rooms = self.rooms.lock();
        rooms.restore_user(room, user, || {
            let end = Instant::now() + self.config.grace;
            self.deadlines.insert(end, Deadline::GraceEnds(room.clone(), user.id.clone()))
        });
    }

    /// Whether a user is in a room, the grace included.
    pub fn is_in(&self, room: &RoomName, user: &UserId) -> bool {
        self.rooms.lock().get(room).is_some_and(|in_room| in_room.user(user).is_some())
    }

    /// Announces all changes now.
    pub fn announce(&self) {
        let rooms = self.rooms.lock().changed();
        for (room, event) in rooms.into_iter().filter_map(|room| self.end_burst(room)) {
            self.hub.tell(To::Room(&Room::Named(room)), &event);
        }
    }

    /// Removes a user from a room, with all their sockets and without grace.
    pub fn remove_user(&self, room: &RoomName, user: &UserId) {
        let mut rooms = self.rooms.lock();
        let effect = rooms.remove_user(room, user);
        self.apply(effect, room);
    }

    /// Whether the user is online: in the lobby, the grace included.
    pub fn is_online(&self, user: &UserId) -> bool {
        self.user(user).is_some()
    }

    /// The user, with the name of the socket with which they came online. `None` if they are offline.
    pub fn user(&self, user: &UserId) -> Option<User> {
        self.rooms.lock().get(&self.lobby)?.user(user).cloned()
    }

    /// The first [`USERS_MAX`] users in the room by id, sorted by name, and the number of all users in it.
    pub fn in_room(&self, room: &RoomName) -> (Vec<User>, usize) {
        let mut rooms = self.rooms.lock();
        let Some(in_room) = rooms.read(room) else { return (Vec::new(), 0) };
        let mut users: Vec<User> = in_room.users(Bound::Unbounded).take(USERS_MAX).cloned().collect();
        users.sort_by(|one, other| one.name.cmp(&other.name));
        (users, in_room.user_count())
    }

    /// At most `limit` users in the room, in the order of their ids, after this id.
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

    /// Whether the room has more users than `presence.max-room-size`. If so, changes are announced as a number only.
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

    /// Acts on a deadline that has come. Returns the event to emit to a room, if any.
    fn act(&self, ticket: Ticket, deadline: Deadline) -> Option<(RoomName, PresenceChanged)> {
        match deadline {
            Deadline::GraceEnds(room, user) => {
                let mut rooms = self.rooms.lock();
                let effect = rooms.end_grace(&room, &user, ticket);
                self.apply(effect, &room);
                None
            }
            Deadline::BurstEnds(room) => self.end_burst(room),
        }
    }

    /// Takes the changes of a room. Returns the event that announces them.
    fn end_burst(&self, room: RoomName) -> Option<(RoomName, PresenceChanged)> {
        let (changes, user_count) = self.rooms.lock().end_burst(&room)?;
        let (joined, left) =
            if user_count <= self.config.max_room_size { changes.into_users() } else { Default::default() };
        let event = PresenceChanged { room: RoomRef::Named(room.clone()), joined, left, user_count };
        Some((room, event))
    }

    /// Removes and inserts deadlines after a change.
    fn apply(&self, effect: Effect, room: &RoomName) {
        if let Some(grace) = effect.ended_grace {
            self.deadlines.remove(grace);
        }
        if let Some(burst) = effect.burst {
            self.deadlines.insert(Instant::now() + burst, Deadline::BurstEnds(room.clone()));
        }
    }
}
