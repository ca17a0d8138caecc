//! The SQLite store. One thread writes and groups commits; a pool of threads reads. All SQL of the project is in this
//! folder, and none of it runs on the threads of the async runtime.
//!
//! A write is a `Command`. The broadcast and the reply are callbacks that run after the commit, in commit order, on
//! one task: messages of a room are therefore broadcast in the order of their revisions.

mod backup;
mod chain;
mod command;
mod edit_message;
mod failure;
mod file_identity;
mod files;
mod inbox;
mod lock;
mod members;
mod messages;
mod readers;
mod rooms;
mod save_message;
mod tables;
mod users;
mod wal;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use parking_lot::Mutex;

pub use backup::backup;
pub(crate) use command::Command;
pub use edit_message::{Author, DeleteMessage, EditMessage};
pub use files::check_folder;
pub use members::{Join, Leave, MarkRead};
pub use messages::{CaughtUp, Direction};
pub use rooms::{Kept, Names};
pub use save_message::NewMessage;
pub use users::{Known, Seen};

use crate::{
    config::StoreConfig,
    error::{Error, Result},
    metrics::Metrics,
    model::{Message, MessageId, Room, RoomName, User, UserId},
    protocol::{Membership, Page, RoomUser, UserList},
    supervise::Background,
    tellings::Tellings,
};
use file_identity::Original;
use lock::Lock;
use readers::Readers;
use writer::Writer;

/// How long an idempotency key is valid.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// The open database.
pub struct Store {
    writer: Writer,
    readers: Readers,
    original: Arc<Original>,
    /// Held until [`Store::close`], even if the writer thread has ended.
    lock: Mutex<Option<Arc<Lock>>>,
}

impl Store {
    /// Opens the database in the configured folder: creates it if missing, migrates it if old. Must be called on the
    /// runtime that runs the commit callbacks.
    pub(crate) fn open(config: &StoreConfig, metrics: &Metrics, background: &mut Background) -> Result<Self> {
        let opened = files::open(config).map_err(|error| Error::internal("the store cannot be opened", error))?;
        let (original, lock) = (opened.original.clone(), opened.lock.clone());
        let readers = Readers::start(config, &original, metrics, background)?;
        Ok(Self {
            writer: Writer::start(opened, metrics, background)?,
            readers,
            original,
            lock: Mutex::new(Some(lock)),
        })
    }

    /// Queues a write; `then` runs after its commit, in commit order. A full queue is `unavailable`, at once.
    pub(crate) fn write<C: Command>(
        &self,
        command: C,
        then: impl FnOnce(Result<C::Output>, &mut Tellings) + Send + 'static,
    ) {
        self.writer.queue(command, then);
    }

    /// Queues a write without a callback. A failure is logged.
    pub(crate) fn write_quietly<C: Command>(&self, command: C) {
        self.write(command, |result, _| {
            if let Err(error) = result {
                tracing::warn!(%error, "a write failed");
            }
        });
    }

    /// The newest messages of a room, or those before or after an offset, in ascending order.
    pub async fn page(&self, room: Room, reader: UserId, direction: Direction, limit: usize) -> Result<Page> {
        self.readers.read(move |db| messages::page(db, &room, &reader, direction, limit)).await
    }

    /// The messages changed after a revision, or the newest ones; and the room's head from the same snapshot.
    pub async fn catch_up(&self, room: Room, reader: UserId, since: Option<u64>) -> Result<CaughtUp> {
        self.readers.read(move |db| messages::catch_up(db, &room, &reader, since)).await
    }

    /// One message, as its author sees it, and its room.
    pub async fn message(&self, id: MessageId) -> Result<Option<(Room, Message)>> {
        self.readers.read(move |db| messages::by_id(db, id)).await
    }

    /// The memberships of a user; rooms with the newest messages first.
    pub async fn memberships(&self, user: UserId) -> Result<Vec<Membership>> {
        self.readers.read(move |db| members::memberships(db, &user)).await
    }

    /// The users of a room: those online first, then the other members.
    pub async fn users(&self, room: Room, present: Vec<User>) -> Result<UserList> {
        self.readers.read(move |db| members::users(db, &room, present)).await
    }

    /// A user by id; `None` if this id is unknown.
    pub async fn user(&self, id: UserId) -> Result<Option<RoomUser>> {
        self.readers.read(move |db| users::find(db, &id)).await
    }

    /// A user with the stored name; the id serves as the name if none is stored.
    pub async fn user_named(&self, id: UserId) -> Result<User> {
        self.readers.read(move |db| users::named(db, &id)).await
    }

    /// Users in order of id, from the one after `after`.
    pub async fn users_after(&self, after: Option<UserId>, limit: usize) -> Result<Vec<RoomUser>> {
        self.readers.read(move |db| users::after(db, after.as_ref(), limit)).await
    }

    /// Members of a room in order of id, from the one after `after`.
    pub async fn members_after(&self, room: Room, after: Option<UserId>, limit: usize) -> Result<Vec<RoomUser>> {
        self.readers.read(move |db| members::members_after(db, &room, after.as_ref(), limit)).await
    }

    /// The names of rooms in alphabetical order, without direct messages.
    pub async fn names(&self, which: Names, limit: usize) -> Result<Vec<RoomName>> {
        self.readers.read(move |db| rooms::names(db, &which, limit)).await
    }

    /// Head and member count of each room; `None` for a room that is not stored.
    pub async fn kept(&self, names: Vec<RoomName>) -> Result<Vec<Option<Kept>>> {
        self.readers.read(move |db| rooms::kept(db, &names)).await
    }

    /// Whether the last commit and recent reads succeeded, and the file at the path is still the open database.
    pub async fn is_ready(&self) -> bool {
        if !self.writer.is_well() {
            // While the server is not ready it gets no other writes: a probe finds out whether the disk has recovered.
            self.write_quietly(command::Probe);
            return false;
        }
        if self.readers.have_failed() {
            return false;
        }
        let original = self.original.clone();
        let found = self.readers.read(move |db| {
            // Checks the file itself, not SQLite's page cache.
            let found = original.check();
            if matches!(found, Ok(Ok(_))) {
                db.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()))?;
            }
            Ok(found)
        });
        match found.await {
            Ok(Ok(Ok(_))) => true,
            Ok(Ok(Err(lost))) => {
                tracing::debug!(%lost, "the store is not ready");
                false
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database file cannot be read");
                false
            }
            Err(_) => false,
        }
    }

    /// Commits the queued writes, runs their callbacks, and closes the database.
    pub async fn close(&self) {
        // The last connection that closes merges the WAL into the database; it must be the writer's, the readers are
        // read-only.
        self.readers.close().await;
        self.writer.close().await;
        drop(self.lock.lock().take());
    }
}

/// The path of the database within the folder.
fn database(folder: &Path) -> std::path::PathBuf {
    folder.join("sockeye.db")
}
