//! The users in each room, with their sockets, and the changes that are not announced yet.

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

/// All rooms in which there are users or changes.
#[derive(Default)]
pub(super) struct Rooms(HashMap<RoomName, InRoom>);

/// One room.
#[derive(Default)]
pub(super) struct InRoom {
    /// Ordered, so that a page costs no more than the users it holds.
    users: BTreeMap<UserId, Present>,
    changes: Changes,
}

struct Present {
    user: User,
    /// The user's sockets that are subscribed and not away.
    sockets: Vec<SocketId>,
    /// The deadline of the grace, where the last socket has gone.
    grace: Option<Ticket>,
}

/// What follows from a change.
#[derive(Default)]
pub(super) struct Effect {
    /// The grace that is over before its deadline.
    pub(super) ended_grace: Option<Ticket>,
    /// The length of the burst that begins.
    pub(super) burst: Option<Duration>,
}

impl Rooms {
    pub(super) fn get(&self, room: &RoomName) -> Option<&InRoom> {
        self.0.get(room)
    }

    /// The room, for a client that is given the list of its users: see [`Changes::mark_read`].
    pub(super) fn read(&mut self, room: &RoomName) -> Option<&InRoom> {
        let in_room = self.0.get_mut(room)?;
        in_room.changes.mark_read();
        Some(in_room)
    }

    /// Adds a user's socket, and the user with it.
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

    /// Removes a user's socket. If it was the last, the user stays for the grace; returns true then.
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

    /// Removes a user whose grace has this deadline.
    pub(super) fn end_grace(&mut self, room: &RoomName, user: &UserId, deadline: Ticket) -> Effect {
        let grace = self.0.get(room).and_then(|in_room| in_room.users.get(user)?.grace);
        if grace == Some(deadline) { self.remove_user(room, user) } else { Effect::default() }
    }

    /// Takes the changes of a room, if there are any, with the number of its users. A room without users is removed.
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

    /// The users in the order of their ids, from this one.
    pub(super) fn users(&self, start: Bound<&UserId>) -> impl Iterator<Item = &User> {
        self.users.range((start, Bound::Unbounded)).map(|(_, present)| &present.user)
    }

    pub(super) fn user_count(&self) -> usize {
        self.users.len()
    }

    /// Notes a change. Returns the length of the burst that begins with it.
    fn change(&mut self, user: &UserId, change: Change) -> Option<Duration> {
        self.changes.add(user, change).then(|| burst::length(self.users.len()))
    }
}
