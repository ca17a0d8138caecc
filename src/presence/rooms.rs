//! The state of presence: the users in each room, their sockets, and the changes that are not announced yet.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    ops::Bound,
    time::Duration,
};

use super::burst::{self, Change, Changes};
use crate::{
    deadlines::Ticket,
    model::{RoomName, SocketId, User, UserId},
};

/// The rooms that have users or changes.
#[derive(Default)]
pub(super) struct Rooms(HashMap<RoomName, InRoom>);

/// One room.
#[derive(Default)]
pub(super) struct InRoom {
    /// Sorted, so that the cost of a page depends only on its length.
    users: BTreeMap<UserId, Present>,
    changes: Changes,
}

/// A user in a room.
struct Present {
    user: User,
    /// The user's subscribed sockets. An away socket, which is disconnected but may be recovered, is none of them.
    sockets: Vec<SocketId>,
    /// The end of the grace, if the last socket has gone.
    grace: Option<Ticket>,
}

/// The deadlines to remove and to insert after a change.
#[derive(Default)]
pub(super) struct Effect {
    /// The deadline of a grace that has ended early.
    pub(super) ended_grace: Option<Ticket>,
    /// The time until the changes of the room are announced together, if this change is the first of them: see
    /// [`burst`].
    pub(super) burst: Option<Duration>,
}

impl Rooms {
    pub(super) fn get(&self, room: &RoomName) -> Option<&InRoom> {
        self.0.get(room)
    }

    /// Returns the room for a caller that sends the list of the room's users to a client. Records that: see
    /// [`Changes::mark_read`].
    pub(super) fn read(&mut self, room: &RoomName) -> Option<&InRoom> {
        let in_room = self.0.get_mut(room)?;
        in_room.changes.mark_read();
        Some(in_room)
    }

    /// Adds a user's socket, and the user if they are not in the room yet.
    pub(super) fn add(&mut self, room: &RoomName, user: &User, socket: SocketId) -> Effect {
        let in_room = self.0.entry(room.clone()).or_default();
        if let Some(present) = in_room.users.get_mut(&user.id) {
            if !present.sockets.contains(&socket) {
                present.sockets.push(socket);
            }
            return Effect { ended_grace: present.grace.take(), burst: None };
        }
        in_room.users.insert(user.id.clone(), Present { user: user.clone(), sockets: vec![socket], grace: None });
        Effect { ended_grace: None, burst: in_room.change(&user.id, Change::Joined(user.clone())) }
    }

    /// Adds a user without sockets, and without a change to announce, unless the user is in the room.
    pub(super) fn restore_user(&mut self, room: &RoomName, user: &User, begin_grace: impl FnOnce() -> Ticket) {
        let users = &mut self.0.entry(room.clone()).or_default().users;
        users.entry(user.id.clone()).or_insert_with(|| Present {
            user: user.clone(),
            sockets: Vec::new(),
            grace: Some(begin_grace()),
        });
    }

    /// The rooms that have changes.
    pub(super) fn changed(&self) -> Vec<RoomName> {
        let changed = self.0.iter().filter(|(_, in_room)| !in_room.changes.is_empty());
        changed.map(|(name, _)| name.clone()).collect()
    }

    /// Removes a user's socket. True if it was the last one: the user stays for the grace.
    pub(super) fn remove_socket(
        &mut self,
        room: &RoomName,
        user: &UserId,
        socket: SocketId,
        begin_grace: impl FnOnce() -> Ticket,
    ) -> bool {
        let Some(present) = self.0.get_mut(room).and_then(|in_room| in_room.users.get_mut(user)) else {
            return false;
        };
        let before = present.sockets.len();
        present.sockets.retain(|other| *other != socket);
        if present.sockets.len() == before || !present.sockets.is_empty() {
            return false;
        }
        present.grace = Some(begin_grace());
        true
    }

    /// Removes a user, with or without sockets.
    pub(super) fn remove_user(&mut self, room: &RoomName, user: &UserId) -> Effect {
        let Some(in_room) = self.0.get_mut(room) else { return Effect::default() };
        let Some(present) = in_room.users.remove(user) else { return Effect::default() };
        Effect { ended_grace: present.grace, burst: in_room.change(user, Change::Left(present.user)) }
    }

    /// Removes a user if this is the deadline of their grace.
    pub(super) fn end_grace(&mut self, room: &RoomName, user: &UserId, deadline: Ticket) -> Effect {
        let grace = self.0.get(room).and_then(|in_room| in_room.users.get(user)?.grace);
        if grace == Some(deadline) { self.remove_user(room, user) } else { Effect::default() }
    }

    /// Takes the changes of a room, with the number of its users. `None` if there are no changes. A room without users
    /// is removed.
    pub(super) fn end_burst(&mut self, room: &RoomName) -> Option<(Changes, usize)> {
        let in_room = self.0.get_mut(room)?;
        let changes = mem::take(&mut in_room.changes);
        let user_count = in_room.user_count();
        if user_count == 0 {
            self.0.remove(room);
        }
        (!changes.is_empty()).then_some((changes, user_count))
    }
}

impl InRoom {
    pub(super) fn user(&self, user: &UserId) -> Option<&User> {
        Some(&self.users.get(user)?.user)
    }

    /// The users in the order of their ids, beginning at this bound.
    pub(super) fn users(&self, start: Bound<&UserId>) -> impl Iterator<Item = &User> {
        self.users.range((start, Bound::Unbounded)).map(|(_, present)| &present.user)
    }

    pub(super) fn user_count(&self) -> usize {
        self.users.len()
    }

    /// Adds a change. Returns the length of the burst, if one begins.
    fn change(&mut self, user: &UserId, change: Change) -> Option<Duration> {
        self.changes.add(user, change).then(|| burst::length(self.users.len()))
    }
}
