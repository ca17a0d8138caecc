//! What reads ask for and return, where that is not in the protocol, and the rules of reading that the engines share.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    model::{Message, MessageId, Room, RoomName, Timestamp, User, UserId},
    protocol::{Head, PAGE_MAX, RoomUser, USERS_MAX, UserList},
};

/// Maximum number of reads that wait or run. Further reads fail with `unavailable`.
pub(super) const READS_MAX: usize = 16_384;
/// Maximum size of all bodies in one page, in bytes. A page holds at least one message, whatever its size.
pub(super) const PAGE_BYTES: usize = 1 << 20;
/// The highest count of unread messages that is reported.
pub(super) const UNREAD_MAX: u64 = 1_000;
/// Maximum number of a room's newest messages that are scanned for unread messages. The user's own messages and deleted
/// messages are scanned too, but do not count as unread.
pub(super) const SCANNED_MAX: u64 = 10_000;

/// Which messages a page holds.
#[derive(Debug, Clone, Copy)]
pub enum Direction {
    /// The newest messages of the room.
    Last,
    /// Those directly before an offset.
    Before(u64),
    /// Those directly after an offset.
    After(u64),
}

/// The result of [`super::Store::catch_up`].
#[derive(Debug)]
pub struct CatchUp {
    /// The room's head, from the same snapshot as the messages.
    pub head: Head,
    /// In revision order; in offset order if no revision was given.
    pub messages: Vec<Message>,
    /// Whether there are more messages.
    pub more: bool,
    /// Whether `messages` may lack changes after the given revision: the revision is greater than the room's, so the
    /// client's messages are from another database; or a message that changed after it was removed. The client must
    /// discard its messages.
    pub reset: bool,
}

/// Which room names to list. The list is sorted by name.
#[derive(Debug, Clone, Default)]
pub struct RoomNameQuery {
    /// Prefix of the names.
    pub prefix: String,
    /// Only names that sort after this one.
    pub after: Option<RoomName>,
}

/// The stored data of a room.
#[derive(Debug, Clone, Copy)]
pub struct StoredRoom {
    /// Offset of the newest message, and revision.
    pub head: Head,
    /// Number of members.
    pub member_count: u64,
    /// Number of messages, deleted ones included.
    pub message_count: u64,
}

/// Maximum number of messages that one step of a search looks at.
pub(super) const SCANNED: usize = 5_000;

/// Where a search for a user's messages goes on. Opaque: each engine has its own order.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanPlace(pub(super) i64, pub(super) i64);

/// A step of a search for a user's messages.
#[derive(Debug, Default)]
pub struct FoundMessages {
    /// Their ids.
    pub messages: Vec<MessageId>,
    /// Number of messages, of all users, that this step looked at.
    pub scanned: u64,
    /// Where to go on; `None` after the last message.
    pub next: Option<ScanPlace>,
}

/// How much a room holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomContents {
    /// The room.
    pub room: Room,
    /// Number of messages, deleted ones included.
    pub messages: u64,
    /// When the oldest of them was posted.
    pub oldest: Option<Timestamp>,
}

/// Up to `limit` messages with bodies of at most [`PAGE_BYTES`], and whether there are more.
pub(super) fn cut<E>(found: impl Iterator<Item = Result<Message, E>>, limit: usize) -> Result<(Vec<Message>, bool), E> {
    let (mut messages, mut bytes) = (Vec::new(), 0);
    for message in found {
        let message = message?;
        bytes += message.body.as_str().len();
        if messages.len() == limit || (bytes > PAGE_BYTES && !messages.is_empty()) {
            return Ok((messages, true));
        }
        messages.push(message);
    }
    Ok((messages, false))
}

/// Merges posts and changed messages, each from [`cut`] with [`PAGE_MAX`], in revision order; and whether there are more.
pub(super) fn merge(posts: (Vec<Message>, bool), changed: (Vec<Message>, bool)) -> (Vec<Message>, bool) {
    // A list that was cut has no messages after its last revision. So the result is complete only up to the smaller of
    // these last revisions, and later messages are removed.
    let cut_lists = [&posts, &changed].into_iter().filter(|(_, more)| *more);
    let complete = cut_lists.filter_map(|(messages, _)| messages.last()).map(|last| last.revision).min();
    let mut messages: Vec<Message> = posts.0.into_iter().chain(changed.0).collect();
    messages.retain(|message| complete.is_none_or(|complete| message.revision <= complete));
    messages.sort_unstable_by_key(|message| message.revision);
    let more = complete.is_some() || messages.len() > PAGE_MAX;
    messages.truncate(PAGE_MAX);
    (messages, more)
}

/// The online users in order of name, then the other members, together at most [`USERS_MAX`]. `members` are in order of
/// name, and at least [`USERS_MAX`] more than there are online users, if there are so many.
pub(super) fn user_list(mut present: Vec<User>, members: Vec<RoomUser>, user_count: usize) -> UserList {
    present.sort_by(|one, other| one.name.cmp(&other.name));
    let online_ids: HashSet<UserId> = present.iter().map(|user| user.id.clone()).collect();
    let online = present.into_iter().map(|user| RoomUser { user, online: true, last_seen: None });
    let offline = members.into_iter().filter(|member| !online_ids.contains(&member.user.id));
    UserList { users: online.chain(offline).take(USERS_MAX).collect(), user_count }
}

/// A user with the stored name. If no name is stored, the name is the id.
pub(super) fn user(id: UserId, name: Option<&str>) -> User {
    if id.is_system() {
        return User::system();
    }
    let name = name.unwrap_or(id.as_str()).into();
    User { id, name }
}

/// Lower bound for the keys of named rooms. Keys of direct messages begin with U+0001 and sort below it.
pub(super) const FIRST_NAME: &str = " ";

/// The names with the query's prefix, from keys in their order, beginning where [`RoomNameQuery::start`] says.
pub(super) fn names_with_prefix<E>(
    keys: impl Iterator<Item = Result<String, E>>,
    prefix: &str,
    invalid: impl Fn(String) -> E,
) -> Result<Vec<RoomName>, E> {
    let mut names = Vec::new();
    for key in keys {
        let key = key?;
        if !key.starts_with(prefix) {
            break;
        }
        names.push(RoomName::parse(&key).map_err(&invalid)?);
    }
    Ok(names)
}

impl RoomNameQuery {
    /// The key at which the list begins, and whether that key itself is left out.
    pub(super) fn start(&self) -> (&str, bool) {
        let first = self.prefix.as_str().max(FIRST_NAME);
        match &self.after {
            Some(after) if after.as_str() >= first => (after.as_str(), true),
            _ => (first, false),
        }
    }
}

/// Counts a read until its result is received or the request is cancelled.
pub(super) struct QueuedRead<'a>(&'a AtomicUsize);

impl<'a> QueuedRead<'a> {
    /// `None` if [`READS_MAX`] reads are counted already.
    pub(super) fn new(count: &'a AtomicUsize) -> Option<Self> {
        let queued = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < READS_MAX).then_some(queued)
    }
}

impl Drop for QueuedRead<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
