//! What commands read and write: the seam between the commands, which hold the rules, and the engines, which hold the
//! SQL.

use anyhow::Result;

use crate::{
    error::Error,
    metrics::Metrics,
    model::{Message, MessageId, Room, RoomRef, Timestamp, User, UserId},
};

use super::failure::Failure;

/// A room's id, offset and revision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoomState {
    /// The number that stands for the room in other tables. An engine may give a new room a number that is valid until
    /// the commit only.
    pub(super) id: i64,
    /// The offset of the newest message, also if that message was removed.
    pub(super) offset: u64,
    pub(super) revision: u64,
}

impl RoomState {
    /// Number of edits and deletions. Each post counts in `offset` and in `revision`.
    pub(super) fn changes(self) -> u64 {
        self.revision.saturating_sub(self.offset)
    }
}

/// What decides whether a message is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OldMessage {
    pub(super) offset: u64,
    pub(super) revision: u64,
    pub(super) at: Timestamp,
    /// Bytes of the body.
    pub(super) bytes: u64,
}

/// Maximum number of rows of `changes` that one command removes. Later commands remove the others: they are not read.
pub(super) const CHANGES_PER_REMOVAL: u32 = 2_000;

/// What an earlier post used an idempotency key for.
#[derive(Debug, Clone)]
pub(crate) struct UsedKey {
    /// The room's id.
    pub(super) room: i64,
    pub(super) offset: u64,
    /// Hash of the room and the body as posted.
    pub(super) digest: Vec<u8>,
}

/// Something that is owed to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owed {
    /// Its place in the order.
    pub(crate) number: i64,
    pub(crate) payload: String,
    pub(crate) created_at: Timestamp,
    /// How many attempts have failed.
    pub(crate) attempts: u64,
}

/// What becomes of something that was owed.
#[cfg_attr(not(test), allow(dead_code, reason = "webhooks are to deliver from the outbox"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// It was delivered, and is removed.
    Delivered,
    /// The attempt failed. The next one is not made before this time, nor is anything behind it.
    Retry(Timestamp),
    /// The last attempt failed. It is kept, and no longer holds up what is behind it.
    Failed,
}

/// The tables, for one command. It sees what the commands before it in the same transaction wrote. An error means that
/// the database failed: the whole transaction is rolled back.
///
/// An engine that loads what commands need before they run finds only what [`super::Command::needs`] names.
pub(crate) trait Tables {
    /// For the counts of refused requests.
    fn metrics(&self) -> &Metrics;

    /// The state of a room. `None` if the room has no row.
    fn room(&mut self, room: &Room) -> Result<Option<RoomState>>;

    /// The state of a room. Adds a row if the room has none.
    fn room_or_new(&mut self, room: &Room) -> Result<RoomState>;

    /// Sets the offset and the revision of a room.
    fn set_room(&mut self, room: &Room, state: RoomState);

    /// Whether a user is a member of the room with this id.
    fn is_member(&mut self, user: &UserId, room: i64) -> Result<bool>;

    /// Number of the user's memberships, without direct messages.
    fn count_named_rooms(&mut self, user: &UserId) -> Result<u64>;

    /// Adds a membership, if there is none.
    fn add_member(&mut self, user: &UserId, room: i64) -> Result<()>;

    /// Removes a membership, if there is one.
    fn remove_member(&mut self, user: &UserId, room: i64) -> Result<()>;

    /// The offset up to which a member has read; `None` without a membership.
    fn read_mark(&mut self, user: &UserId, room: i64) -> Result<Option<u64>>;

    /// Sets the read mark of a member.
    fn set_read_mark(&mut self, user: &UserId, room: i64, offset: u64) -> Result<()>;

    /// Saves a user's current name.
    fn save_name(&mut self, user: &User) -> Result<()>;

    /// Saves when the user's last socket disconnected. Does nothing for a user without a name.
    fn save_last_seen(&mut self, user: &UserId, at: Timestamp) -> Result<()>;

    /// The message with this id, and its room. In a direct message, the message's `room` names the other user, not the
    /// author.
    fn message(&mut self, id: MessageId) -> Result<Option<(Room, Message)>>;

    /// The message with this offset, as a reader sees it who calls its room `seen_as`. `None` if there is none, or it
    /// was removed.
    fn message_at(&mut self, room: i64, offset: u64, seen_as: &RoomRef) -> Result<Option<Message>>;

    /// Inserts a message as the newest of its room.
    fn insert_message(&mut self, room: i64, message: &Message) -> Result<()>;

    /// Replaces what can change of a message: its revision, its author and idempotency key, its body, the times of edit
    /// and deletion. `nth` is the number of this change within its room.
    fn change_message(&mut self, room: i64, message: &Message, nth: u64) -> Result<()>;

    /// The oldest messages of the room with this id, oldest first, at most `limit`.
    fn oldest(&mut self, room: i64, limit: usize) -> Result<Vec<OldMessage>>;

    /// Removes the messages of a room up to an offset, with the idempotency keys that were used for them. Raises the
    /// highest removed offset and revision to these, and removes rows of `changes` up to that revision, at most
    /// [`CHANGES_PER_REMOVAL`]. Messages that [`Self::oldest`] did not return must not be among them.
    fn remove_up_to(&mut self, room: i64, offset: u64, revision: u64) -> Result<()>;

    /// What the user's key was used for after the time `oldest`.
    fn used_key(&mut self, user: &UserId, key: &str, oldest: Timestamp) -> Result<Option<UsedKey>>;

    /// Keeps a key, and removes a few that were used at `oldest` or before.
    fn keep_key(&mut self, user: &UserId, key: &str, used: &UsedKey, at: Timestamp, oldest: Timestamp) -> Result<()>;

    /// Removes a user's name and the time last seen.
    fn remove_user(&mut self, user: &UserId) -> Result<()>;

    /// Removes a user's idempotency keys, at most `limit`.
    fn remove_keys(&mut self, user: &UserId, limit: usize) -> Result<()>;

    /// Indexes the newest messages that are not indexed for the search, at most `limit`. Returns whether some are left.
    fn index_older(&mut self, limit: usize) -> Result<bool>;

    /// Adds something that is owed to a target, as the last in its order.
    #[cfg_attr(not(test), expect(dead_code, reason = "webhooks are to deliver from it"))]
    fn owe(&mut self, target: &str, payload: &str) -> Result<()>;

    /// The oldest that is owed to a target, which is then not due before `until`. Nothing while anything that waits for
    /// this target is not due at `now`.
    fn take_owed(&mut self, target: &str, limit: usize, now: Timestamp, until: Timestamp) -> Result<Vec<Owed>>;

    /// Removes something that is owed, or changes when it is due.
    fn settle_owed(&mut self, number: i64, settlement: Settlement) -> Result<()>;

    /// Writes something that changes nothing, to find out whether the database can be written to.
    fn probe(&mut self) -> Result<()>;
}

/// Fails with `forbidden` if the user has `most` memberships or more. Must be called before [`Tables::add_member`].
/// Direct messages do not count, because other users can start them.
pub(super) fn check_rooms_per_user(tables: &mut dyn Tables, user: &UserId, most: usize) -> Result<(), Failure> {
    if most == usize::MAX || tables.count_named_rooms(user)? < most as u64 {
        return Ok(());
    }
    tables.metrics().limited("rooms-per-user");
    let what = format!("a user may belong to at most {most} rooms (limits.rooms-per-user)");
    Err(Error::Forbidden(what).into())
}
