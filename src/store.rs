//! What is kept: messages, rooms, memberships, users. Two engines keep it with the same behaviour: SQLite in a folder of
//! this machine, and PostgreSQL. All SQL of the project is in their folders.
//!
//! A write is a `Command` with a callback, which broadcasts and replies. Commands are committed in groups. The callbacks
//! run after the commit, in commit order, on one task. Messages of a room are therefore broadcast in the order of their
//! revisions.

mod command;
mod commands;
mod copy;
mod failure;
mod inbox;
mod indexing;
mod postgres;
mod reads;
mod search;
mod slices;
mod sqlite;
mod tables;
mod words;
mod writer;

use std::{io, sync::Arc, time::Duration};

pub(crate) use command::Command;
pub use commands::{
    Author, DeleteMessage, EditMessage, EmptyRoom, EndMemberships, EraseMessages, ErasedMessage, ForgetUser, Join,
    Leave, MarkRead, RemoveMessages, SaveLastSeen, SaveMessage, SaveUserName,
};
pub(crate) use copy::{CopyStep, copy};
pub use reads::{CatchUp, Direction, FoundMessages, RoomContents, RoomNameQuery, ScanPlace, StoredRoom};
pub use search::{Found, Reader, Search};
pub(crate) use slices::Slices;
pub use sqlite::backup;
pub(crate) use sqlite::{FolderLock, is_locked, lock_folder};

use crate::{
    config::{ConfigError, SearchConfig, StoreConfig},
    error::Result,
    metrics::Metrics,
    model::{Message, MessageId, Room, RoomName, User, UserId},
    protocol::{Membership, Page, RoomUser, UserList},
    restart::Database,
    supervise::Background,
    tellings::Tellings,
};
use postgres::Postgres;
use sqlite::Sqlite;
use writer::Writer;

/// Checks that the configured store can be used, before the server binds its port. Creates a missing folder. The error is
/// one sentence with the reason.
pub fn check(config: &StoreConfig) -> std::result::Result<(), ConfigError> {
    match config.url.is_empty() {
        true => sqlite::check_folder(config),
        false => postgres::check(config),
    }
}

/// The setting with which the store's index of the search was made. Who opens the store with it leaves the index as it is.
pub(crate) async fn indexed_fields(config: &StoreConfig) -> anyhow::Result<SearchConfig> {
    let name = match config.url.is_empty() {
        true => sqlite::index_name(config)?,
        false => postgres::index_name(config).await?,
    };
    Ok(name.and_then(|name| search::Fields::setting_of(&name)).unwrap_or_default())
}

/// How long an idempotency key is valid.
const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads the state in which a process has left its database.
pub(crate) type Left = Box<dyn FnOnce() -> io::Result<Database> + Send>;

/// The open store.
pub(crate) enum Store {
    /// A folder of this machine.
    Sqlite(Box<Sqlite>),
    /// `store.url`.
    Postgres(Box<Postgres>),
}

impl Store {
    /// Opens the configured store, and creates or migrates its tables. Must be called on the runtime that runs the commit
    /// callbacks.
    pub(crate) fn open(
        config: &StoreConfig,
        search: &SearchConfig,
        metrics: &Metrics,
        background: &mut Background,
    ) -> Result<Self> {
        let store = if config.url.is_empty() {
            Self::Sqlite(Box::new(Sqlite::open(config, search, metrics, background)?))
        } else {
            Self::Postgres(Box::new(Postgres::open(config, search, metrics, background)?))
        };
        let is_indexed = match &store {
            Self::Sqlite(engine) => engine.is_indexed(),
            Self::Postgres(_) => search.fields.is_empty(),
        };
        if !is_indexed {
            background.spawn("search-index", indexing::index_older(store.writer().inbox()));
        }
        Ok(store)
    }

    /// The state in which the process before has left the database. `None` if the database is new.
    pub(crate) fn found(&self) -> Option<Database> {
        match self {
            Self::Sqlite(engine) => engine.found(),
            Self::Postgres(engine) => Some(engine.identity()),
        }
    }

    /// A function that reads the state in which this process leaves the database, after [`Self::close`]. It may wait for
    /// the disk.
    pub(crate) fn left(&self) -> Left {
        match self {
            Self::Sqlite(engine) => engine.left(),
            Self::Postgres(engine) => {
                let identity = engine.identity();
                Box::new(move || Ok(identity))
            }
        }
    }

    /// The lock on the folder, which the caller may hold longer than the store. `None` after [`Self::close`], and if
    /// there is no folder.
    pub(crate) fn folder_lock(&self) -> Option<Arc<FolderLock>> {
        match self {
            Self::Sqlite(engine) => engine.folder_lock(),
            Self::Postgres(_) => None,
        }
    }

    fn writer(&self) -> &Writer {
        match self {
            Self::Sqlite(engine) => engine.writer(),
            Self::Postgres(engine) => engine.writer(),
        }
    }

    /// Queues a write. The callback `then` runs after the commit, in commit order. If the queue is full, it runs at
    /// once, with `unavailable`.
    pub(crate) fn write<C: Command>(
        &self,
        command: C,
        then: impl FnOnce(Result<C::Output>, &mut Tellings) + Send + 'static,
    ) {
        self.writer().queue(command, then);
    }

    /// Queues a write without a callback. A failure is logged.
    pub(crate) fn write_quietly<C: Command>(&self, command: C) {
        self.writer().try_to_write(command);
    }

    /// For long work in slices.
    pub(crate) fn slices(&self) -> Slices<'_> {
        Slices::new(self.writer())
    }

    /// The newest messages of a room, or those before or after an offset, in ascending order.
    pub async fn page(&self, room: Room, reader: UserId, direction: Direction, limit: usize) -> Result<Page> {
        match self {
            Self::Sqlite(engine) => engine.page(room, reader, direction, limit).await,
            Self::Postgres(engine) => engine.page(room, reader, direction, limit).await,
        }
    }

    /// The messages changed after the revision `since`, and the room's head (newest offset and revision) from the same
    /// snapshot. Without `since`, or if it is beyond the room's revision, the newest messages.
    pub async fn catch_up(&self, room: Room, reader: UserId, since: Option<u64>) -> Result<CatchUp> {
        match self {
            Self::Sqlite(engine) => engine.catch_up(room, reader, since).await,
            Self::Postgres(engine) => engine.catch_up(room, reader, since).await,
        }
    }

    /// One message and its room. In a direct message, the message's `room` names the other user, not the author.
    pub async fn message(&self, id: MessageId) -> Result<Option<(Room, Message)>> {
        match self {
            Self::Sqlite(engine) => engine.message(id).await,
            Self::Postgres(engine) => engine.message(id).await,
        }
    }

    /// The newest messages with all words of a search, as far as the reader may read them. Messages that are not indexed
    /// yet are not found.
    pub async fn search(&self, search: Search) -> Result<Found> {
        match self {
            Self::Sqlite(engine) => engine.search(search).await,
            Self::Postgres(engine) => engine.search(search).await,
        }
    }

    /// The memberships of a user; rooms with the newest messages first.
    pub async fn memberships(&self, user: UserId) -> Result<Vec<Membership>> {
        match self {
            Self::Sqlite(engine) => engine.memberships(user).await,
            Self::Postgres(engine) => engine.memberships(user).await,
        }
    }

    /// The users of a room: those online first, then the other members.
    pub async fn users(&self, room: Room, present: Vec<User>) -> Result<UserList> {
        match self {
            Self::Sqlite(engine) => engine.users(room, present).await,
            Self::Postgres(engine) => engine.users(room, present).await,
        }
    }

    /// A user by id; `None` if this id is unknown.
    pub async fn user(&self, id: UserId) -> Result<Option<RoomUser>> {
        match self {
            Self::Sqlite(engine) => engine.user(id).await,
            Self::Postgres(engine) => engine.user(id).await,
        }
    }

    /// A user with the stored name. If no name is stored, the name is the id.
    pub async fn user_named(&self, id: UserId) -> Result<User> {
        match self {
            Self::Sqlite(engine) => engine.user_named(id).await,
            Self::Postgres(engine) => engine.user_named(id).await,
        }
    }

    /// Users in order of id, beginning after the id `after`.
    pub async fn users_after(&self, after: Option<UserId>, limit: usize) -> Result<Vec<RoomUser>> {
        match self {
            Self::Sqlite(engine) => engine.users_after(after, limit).await,
            Self::Postgres(engine) => engine.users_after(after, limit).await,
        }
    }

    /// Members of a room in order of id, beginning after the id `after`.
    pub async fn members_after(&self, room: Room, after: Option<UserId>, limit: usize) -> Result<Vec<RoomUser>> {
        match self {
            Self::Sqlite(engine) => engine.members_after(room, after, limit).await,
            Self::Postgres(engine) => engine.members_after(room, after, limit).await,
        }
    }

    /// The names of rooms in alphabetical order, without direct messages.
    pub async fn room_names(&self, which: RoomNameQuery, limit: usize) -> Result<Vec<RoomName>> {
        match self {
            Self::Sqlite(engine) => engine.room_names(which, limit).await,
            Self::Postgres(engine) => engine.room_names(which, limit).await,
        }
    }

    /// Newest offset, revision and member count of each room; `None` for a room that is not stored.
    pub async fn rooms(&self, names: Vec<RoomName>) -> Result<Vec<Option<StoredRoom>>> {
        match self {
            Self::Sqlite(engine) => engine.rooms(names).await,
            Self::Postgres(engine) => engine.rooms(names).await,
        }
    }

    /// How much rooms hold, direct messages included, in the order of their keys, beginning after the room `after`.
    pub async fn contents(&self, after: Option<Room>, limit: usize) -> Result<Vec<RoomContents>> {
        match self {
            Self::Sqlite(engine) => engine.contents(after, limit).await,
            Self::Postgres(engine) => engine.contents(after, limit).await,
        }
    }

    /// One step of a search for all messages of a user.
    pub async fn messages_of(&self, user: UserId, from: ScanPlace) -> Result<FoundMessages> {
        match self {
            Self::Sqlite(engine) => engine.messages_of(user, from).await,
            Self::Postgres(engine) => engine.messages_of(user, from).await,
        }
    }

    /// Number of idempotency keys that are stored for a user.
    pub async fn key_count(&self, user: UserId) -> Result<u64> {
        match self {
            Self::Sqlite(engine) => engine.key_count(user).await,
            Self::Postgres(engine) => engine.key_count(user).await,
        }
    }

    /// Whether the last commit and recent reads succeeded, and the database is still the one that was opened.
    pub async fn is_ready(&self) -> bool {
        match self {
            Self::Sqlite(engine) => engine.is_ready().await,
            Self::Postgres(engine) => engine.is_ready().await,
        }
    }

    /// Commits the queued writes, runs their callbacks, and closes the database.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(engine) => engine.close().await,
            Self::Postgres(engine) => engine.close().await,
        }
    }
}

#[cfg(test)]
mod tests;
