//! The rows that a group of commands reads, loaded before the commands run, and what the commands change in them. The
//! commands themselves wait for nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Context, Result};

use super::{
    removal::Removal,
    rows::StoredMessage,
    word_index::{IndexedSlice, Unindexed},
};
use crate::{
    metrics::Metrics,
    model::{Message, MessageId, Room, RoomRef, Timestamp, User, UserId},
    store::{
        search::Fields,
        tables::{OldMessage, Owed, RoomState, Settlement, Tables, UsedKey},
    },
};

/// The rows of one group. The commands see each other's changes.
pub(super) struct LoadedTables<'a> {
    pub(super) metrics: &'a Metrics,
    pub(super) rooms: HashMap<Room, LoadedRoom>,
    /// The rooms by their numbers, also new ones.
    names: HashMap<i64, Room>,
    pub(super) members: HashMap<(UserId, i64), Membership>,
    /// Memberships in rooms with a name.
    pub(super) counts: HashMap<UserId, u64>,
    pub(super) keys: HashMap<(UserId, String), LoadedKey>,
    /// The rooms and offsets that the keys had when they were loaded.
    pub(super) stored_keys: HashMap<(UserId, String), (i64, u64)>,
    pub(super) messages: HashMap<MessageId, StoredMessage>,
    /// The messages that were posted, in their order.
    pub(super) posted: Vec<(i64, MessageId)>,
    /// The messages that were changed and are not new.
    pub(super) changed: HashSet<MessageId>,
    pub(super) changes: Vec<Change>,
    /// The oldest stored messages of rooms, oldest first.
    pub(super) oldest: HashMap<i64, Vec<OldMessage>>,
    /// How many of them were asked for: a room with fewer has no others.
    pub(super) oldest_limits: HashMap<Room, usize>,
    /// What is removed, by the room's number.
    pub(super) removals: BTreeMap<i64, Removal>,
    /// Ordered, so that all servers lock the rows in the same order.
    pub(super) user_names: BTreeMap<UserId, std::sync::Arc<str>>,
    pub(super) last_seen: BTreeMap<UserId, Timestamp>,
    pub(super) removed_users: BTreeSet<UserId>,
    /// Users whose keys are removed, and how many of each.
    pub(super) removed_keys: BTreeMap<UserId, usize>,
    pub(super) outbox: LoadedOutbox,
    /// The time at or before which keys may be removed.
    pub(super) expired_keys: Option<Timestamp>,
    pub(super) is_probed: bool,
    /// The fields that are searched.
    pub(super) fields: Option<&'a Fields>,
    /// The newest messages that may not be indexed, in descending order.
    pub(super) unindexed: Vec<Unindexed>,
    /// What is written of them.
    pub(super) indexed: Option<IndexedSlice>,
}

/// A room, and what a group changes of it.
pub(super) struct LoadedRoom {
    /// A new room has a negative number until it is inserted.
    pub(super) state: RoomState,
    /// How many members it has more than before.
    pub(super) joined: i64,
    /// Whether a message was posted or changed.
    pub(super) is_told: bool,
}

/// A membership before and after a group.
#[derive(Clone, Copy, Default)]
pub(super) struct Membership {
    /// The read mark that is stored; `None` without a membership.
    pub(super) stored: Option<u64>,
    pub(super) current: Option<u64>,
}

/// An idempotency key.
pub(super) struct LoadedKey {
    pub(super) used: UsedKey,
    pub(super) at: Timestamp,
    pub(super) message: Option<MessageId>,
    /// Whether this group has used it.
    pub(super) is_new: bool,
}

/// What is owed to others, and what a group changes of it.
#[derive(Default)]
pub(super) struct LoadedOutbox {
    /// What is due, by target, in order.
    pub(super) due: HashMap<String, Vec<Owed>>,
    pub(super) new: Vec<(String, String)>,
    /// Numbers, with the times at which the turns end.
    pub(super) taken: Vec<(i64, Timestamp)>,
    pub(super) settled: Vec<(i64, Settlement)>,
}

/// A row of the table `changes`.
pub(super) struct Change {
    pub(super) room: i64,
    pub(super) revision: u64,
    pub(super) nth: u64,
    pub(super) offset: u64,
}

impl<'a> LoadedTables<'a> {
    pub(super) fn new(metrics: &'a Metrics, fields: Option<&'a Fields>) -> Self {
        Self {
            metrics,
            rooms: HashMap::new(),
            names: HashMap::new(),
            members: HashMap::new(),
            counts: HashMap::new(),
            keys: HashMap::new(),
            stored_keys: HashMap::new(),
            messages: HashMap::new(),
            posted: Vec::new(),
            changed: HashSet::new(),
            changes: Vec::new(),
            oldest: HashMap::new(),
            oldest_limits: HashMap::new(),
            removed_users: BTreeSet::new(),
            removed_keys: BTreeMap::new(),
            removals: BTreeMap::new(),
            user_names: BTreeMap::new(),
            last_seen: BTreeMap::new(),
            outbox: LoadedOutbox::default(),
            expired_keys: None,
            is_probed: false,
            fields,
            unindexed: Vec::new(),
            indexed: None,
        }
    }

    /// Adds a room that was loaded.
    pub(super) fn load_room(&mut self, room: Room, state: RoomState) {
        self.names.insert(state.id, room.clone());
        self.rooms.insert(room, LoadedRoom { state, joined: 0, is_told: false });
    }

    /// The rooms that must be inserted, in the order of their keys.
    pub(super) fn new_rooms(&self) -> Vec<Room> {
        let mut new: Vec<Room> =
            self.rooms.iter().filter(|(_, room)| room.state.id < 0).map(|(room, _)| room.clone()).collect();
        new.sort_unstable_by_key(|room| room.key().into_owned());
        new
    }

    fn loaded_room(&mut self, id: i64) -> Result<(&Room, &mut LoadedRoom)> {
        let room = self.names.get(&id).context("a command names a room that was not loaded")?;
        let loaded = self.rooms.get_mut(room).context("a command names a room that was not loaded")?;
        Ok((room, loaded))
    }

    /// How many of a room's oldest messages were loaded.
    fn loaded_oldest(&self, room: i64) -> usize {
        let removed = self.removals.get(&room).map_or(0, |removal| removal.offsets.len());
        self.oldest.get(&room).map_or(0, Vec::len) + removed
    }

    fn set_member(&mut self, user: &UserId, room: i64, current: Option<u64>) -> Result<()> {
        let membership = self.members.entry((user.clone(), room)).or_default();
        let joined = i64::from(current.is_some()) - i64::from(membership.current.is_some());
        membership.current = current;
        let (room, loaded) = self.loaded_room(room)?;
        loaded.joined += joined;
        if matches!(room, Room::Named(_))
            && let Some(count) = self.counts.get_mut(user)
        {
            *count = count.saturating_add_signed(joined);
        }
        Ok(())
    }
}

impl Tables for LoadedTables<'_> {
    fn metrics(&self) -> &Metrics {
        self.metrics
    }

    fn room(&mut self, room: &Room) -> Result<Option<RoomState>> {
        Ok(self.rooms.get(room).map(|loaded| loaded.state))
    }

    fn room_or_new(&mut self, room: &Room) -> Result<RoomState> {
        if let Some(state) = self.room(room)? {
            return Ok(state);
        }
        // Unique within the group: rooms are never removed from it.
        let state = RoomState { id: -1 - self.rooms.len() as i64, offset: 0, revision: 0 };
        self.load_room(room.clone(), state);
        Ok(state)
    }

    fn set_room(&mut self, room: &Room, state: RoomState) {
        if let Some(loaded) = self.rooms.get_mut(room) {
            (loaded.state, loaded.is_told) = (state, true);
        }
    }

    fn is_member(&mut self, user: &UserId, room: i64) -> Result<bool> {
        Ok(self.read_mark(user, room)?.is_some())
    }

    fn count_named_rooms(&mut self, user: &UserId) -> Result<u64> {
        Ok(self.counts.get(user).copied().unwrap_or(0))
    }

    fn add_member(&mut self, user: &UserId, room: i64) -> Result<()> {
        if self.is_member(user, room)? {
            return Ok(());
        }
        self.set_member(user, room, Some(0))
    }

    fn remove_member(&mut self, user: &UserId, room: i64) -> Result<()> {
        if !self.is_member(user, room)? {
            return Ok(());
        }
        self.set_member(user, room, None)
    }

    fn read_mark(&mut self, user: &UserId, room: i64) -> Result<Option<u64>> {
        Ok(self.members.get(&(user.clone(), room)).and_then(|membership| membership.current))
    }

    fn set_read_mark(&mut self, user: &UserId, room: i64, offset: u64) -> Result<()> {
        if let Some(membership) = self.members.get_mut(&(user.clone(), room))
            && membership.current.is_some()
        {
            membership.current = Some(offset);
        }
        Ok(())
    }

    fn save_name(&mut self, user: &User) -> Result<()> {
        self.user_names.insert(user.id.clone(), user.name.clone());
        Ok(())
    }

    fn save_last_seen(&mut self, user: &UserId, at: Timestamp) -> Result<()> {
        self.last_seen.insert(user.clone(), at);
        Ok(())
    }

    fn message(&mut self, id: MessageId) -> Result<Option<(Room, Message)>> {
        Ok(self.messages.get(&id).map(|stored| (stored.room.clone(), stored.message.clone())))
    }

    fn message_at(&mut self, room: i64, offset: u64, seen_as: &RoomRef) -> Result<Option<Message>> {
        let is_it = |key: &&LoadedKey| key.used.room == room && key.used.offset == offset;
        let id = self.keys.values().find(is_it).and_then(|key| key.message);
        let stored = id.and_then(|id| self.messages.get(&id));
        Ok(stored.map(|stored| Message { room: seen_as.clone(), ..stored.message.clone() }))
    }

    fn insert_message(&mut self, room: i64, message: &Message) -> Result<()> {
        let name = self.names.get(&room).context("a command posts to a room that was not loaded")?.clone();
        let stored = StoredMessage { room_id: room, room: name, message: message.clone() };
        self.messages.insert(message.id, stored);
        self.posted.push((room, message.id));
        Ok(())
    }

    fn change_message(&mut self, room: i64, message: &Message, nth: u64) -> Result<()> {
        let stored = self.messages.get_mut(&message.id).context("a command changes a message that was not loaded")?;
        stored.message = message.clone();
        if !self.posted.contains(&(room, message.id)) {
            self.changed.insert(message.id);
        }
        self.changes.push(Change { room, revision: message.revision, nth, offset: message.offset });
        Ok(())
    }

    fn oldest(&mut self, room: i64, limit: usize) -> Result<Vec<OldMessage>> {
        let stored = self.oldest.get(&room).map_or(&[][..], Vec::as_slice);
        let mut oldest = stored.to_vec();
        // Commands of this group may have changed some of them, and posted others.
        for change in self.changes.iter().filter(|change| change.room == room) {
            if let Some(changed) = oldest.iter_mut().find(|message| message.offset == change.offset) {
                changed.revision = changed.revision.max(change.revision);
            }
        }
        let most = self.names.get(&room).and_then(|room| self.oldest_limits.get(room));
        if most.is_some_and(|most| self.loaded_oldest(room) < *most) {
            let posted = self.posted.iter().filter(|(of, _)| *of == room);
            let posted = posted.filter_map(|(_, id)| self.messages.get(id)).map(|stored| &stored.message);
            oldest.extend(posted.map(|Message { offset, revision, at, body, .. }| OldMessage {
                offset: *offset,
                revision: *revision,
                at: *at,
                bytes: body.as_str().len() as u64,
            }));
        }
        oldest.truncate(limit);
        Ok(oldest)
    }

    fn remove_up_to(&mut self, room: i64, offset: u64, revision: u64) -> Result<()> {
        self.keys.retain(|_, key| !key.is_new || key.used.room != room || key.used.offset > offset);
        let removal = self.removals.entry(room).or_default();
        (removal.offset, removal.revision) = (removal.offset.max(offset), removal.revision.max(revision));
        if let Some(oldest) = self.oldest.get_mut(&room) {
            let removed = oldest.partition_point(|message| message.offset <= offset);
            removal.offsets.extend(oldest.drain(..removed).map(|message| message.offset));
        }
        self.messages.retain(|_, stored| stored.room_id != room || stored.message.offset > offset);
        self.posted.retain(|(_, id)| self.messages.contains_key(id));
        self.changed.retain(|id| self.messages.contains_key(id));
        self.changes.retain(|change| change.room != room || change.revision > revision);
        Ok(())
    }

    fn used_key(&mut self, user: &UserId, key: &str, oldest: Timestamp) -> Result<Option<UsedKey>> {
        let found = self.keys.get(&(user.clone(), key.to_owned()));
        Ok(found.filter(|found| found.at > oldest).map(|found| found.used.clone()))
    }

    fn keep_key(&mut self, user: &UserId, key: &str, used: &UsedKey, at: Timestamp, oldest: Timestamp) -> Result<()> {
        let posted = self.posted.last().map(|(_, id)| *id);
        let kept = LoadedKey { used: used.clone(), at, message: posted, is_new: true };
        self.keys.insert((user.clone(), key.to_owned()), kept);
        self.expired_keys = Some(oldest);
        Ok(())
    }

    fn remove_user(&mut self, user: &UserId) -> Result<()> {
        // Names that commands of this group save later are written after the removal.
        self.user_names.remove(user);
        self.last_seen.remove(user);
        self.removed_users.insert(user.clone());
        Ok(())
    }

    fn remove_keys(&mut self, user: &UserId, limit: usize) -> Result<()> {
        self.keys.retain(|(of, _), _| of != user);
        self.removed_keys.insert(user.clone(), limit);
        Ok(())
    }

    fn index_older(&mut self, _: usize) -> Result<bool> {
        let Some(fields) = self.fields else { return Ok(false) };
        let slice = self.indexed.insert(IndexedSlice::of(fields, &self.unindexed));
        Ok(slice.unindexed.is_some())
    }

    fn owe(&mut self, target: &str, payload: &str) -> Result<()> {
        self.outbox.new.push((target.to_owned(), payload.to_owned()));
        Ok(())
    }

    fn take_owed(&mut self, target: &str, limit: usize, _: Timestamp, until: Timestamp) -> Result<Vec<Owed>> {
        // What was taken is not due any more, and neither is what is behind it.
        let mut taken = self.outbox.due.remove(target).unwrap_or_default();
        taken.truncate(limit);
        self.outbox.taken.extend(taken.iter().map(|owed| (owed.number, until)));
        Ok(taken)
    }

    fn settle_owed(&mut self, number: i64, settlement: Settlement) -> Result<()> {
        self.outbox.settled.push((number, settlement));
        Ok(())
    }

    fn probe(&mut self) -> Result<()> {
        self.is_probed = true;
        Ok(())
    }
}
