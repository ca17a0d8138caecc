//! Everything that is kept, in SQLite: one thread writes and groups commits, others read beside it. All SQL of
//! the project is in this folder, and none of it runs on the async runtime's threads.
//!
//! A write is a `Command`. What follows it, the broadcast and the reply, is a callback that runs after the
//! commit, in commit order, on one task: so messages of a room are broadcast in the order of their revisions.

mod backup;
mod chain;
mod changes;
mod files;
mod inbox;
mod lock;
mod log;
mod members;
mod messages;
mod original;
mod posts;
mod readers;
mod rooms;
mod tables;
mod users;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use parking_lot::Mutex;

pub use backup::backup;
pub use changes::{Author, DeleteMessage, EditMessage};
pub use files::check_folder;
pub use members::{Join, Leave, MarkRead};
pub use messages::{CaughtUp, Direction};
pub use posts::NewMessage;
pub use rooms::{Kept, Names};
pub use users::{Known, Seen};
pub(crate) use writer::Command;

use crate::{
    config::StoreConfig,
    error::{Error, Result},
    metrics::Metrics,
    model::{Message, MessageId, Room, RoomName, User, UserId},
    protocol::{Membership, Page, RoomUser, UserList},
    supervise::Background,
};
use lock::Lock;
use original::Original;
use readers::Readers;
use writer::Writer;

/// How long an idempotency key is remembered.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// The open database.
pub struct Store {
    writer: Writer,
    readers: Readers,
    original: Arc<Original>,
    /// For as long as the server runs, also where the writing thread has ended.
    lock: Mutex<Option<Arc<Lock>>>,
}

impl Store {
    /// Opens the folder's database, making or migrating it. Must be called on the runtime that will run what
    /// follows a commit.
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
    pub(crate) fn write<C: Command>(&self, command: C, then: impl FnOnce(Result<C::Output>) + Send + 'static) {
        self.writer.queue(command, then);
    }

    /// Queues a write nobody waits for; its failure is logged.
    pub(crate) fn write_quietly<C: Command>(&self, command: C) {
        self.write(command, |result| {
            if let Err(error) = result {
                tracing::warn!(%error, "a write failed");
            }
        });
    }

    /// The last messages of a room, or those before or after an offset, in ascending order.
    pub async fn page(&self, room: Room, reader: UserId, direction: Direction, limit: usize) -> Result<Page> {
        self.readers.read(move |db| messages::page(db, &room, &reader, direction, limit)).await
    }

    /// What changed after a revision, or the last messages; and the room's head as of the same moment.
    pub async fn catch_up(&self, room: Room, reader: UserId, since: Option<u64>) -> Result<CaughtUp> {
        self.readers.read(move |db| messages::catch_up(db, &room, &reader, since)).await
    }

    /// One message as its author sees it, and its room.
    pub async fn message(&self, id: MessageId) -> Result<Option<(Room, Message)>> {
        self.readers.read(move |db| messages::by_id(db, id)).await
    }

    /// The rooms a user belongs to, those with the newest messages first.
    pub async fn memberships(&self, user: UserId) -> Result<Vec<Membership>> {
        self.readers.read(move |db| members::memberships(db, &user)).await
    }

    /// Who belongs to a room, those present first.
    pub async fn users(&self, room: Room, present: Vec<User>) -> Result<UserList> {
        self.readers.read(move |db| members::users(db, &room, present)).await
    }

    /// A user, if one of this id was ever here.
    pub async fn user(&self, id: UserId) -> Result<Option<RoomUser>> {
        self.readers.read(move |db| users::find(db, &id)).await
    }

    /// A user with the name that is known, or with their id for a name.
    pub async fn user_named(&self, id: UserId) -> Result<User> {
        self.readers.read(move |db| users::named(db, &id)).await
    }

    /// Users after this one, by their ids.
    pub async fn users_after(&self, after: Option<UserId>, limit: usize) -> Result<Vec<RoomUser>> {
        self.readers.read(move |db| users::after(db, after.as_ref(), limit)).await
    }

    /// Members of a room after this one, by their ids.
    pub async fn members_after(&self, room: Room, after: Option<UserId>, limit: usize) -> Result<Vec<RoomUser>> {
        self.readers.read(move |db| members::members_after(db, &room, after.as_ref(), limit)).await
    }

    /// The names of rooms, in their order; direct messages have none.
    pub async fn names(&self, which: Names, limit: usize) -> Result<Vec<RoomName>> {
        self.readers.read(move |db| rooms::names(db, &which, limit)).await
    }

    /// What is kept of each of these rooms; `None` where nothing is.
    pub async fn kept(&self, names: Vec<RoomName>) -> Result<Vec<Option<Kept>>> {
        self.readers.read(move |db| rooms::kept(db, &names)).await
    }

    /// Whether the file at the path is the database that is open and can be read, and took what was written last.
    pub async fn is_ready(&self) -> bool {
        if !self.writer.is_well() {
            // Nobody may write while the server is not ready: try, to see whether it has recovered.
            self.write_quietly(writer::Probe);
            return false;
        }
        if self.readers.have_failed() {
            return false;
        }
        let original = self.original.clone();
        let found = self.readers.read(move |db| {
            // From the file, not from what SQLite remembers of it.
            let found = original.check();
            if matches!(found, Ok(Ok(_))) {
                db.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()))?;
            }
            Ok(found)
        });
        match found.await {
            Ok(Ok(Ok(_))) => true,
            Ok(Ok(Err(lost))) => {
                tracing::debug!(%lost, "not ready");
                false
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database's file cannot be read");
                false
            }
            Err(_) => false,
        }
    }

    /// Writes what is queued, runs what follows, and closes.
    pub async fn close(&self) {
        // The last to close the database leaves a single file; that is to be the writer.
        self.readers.close().await;
        self.writer.close().await;
        drop(self.lock.lock().take());
    }
}

/// Where the database is within the folder.
fn database(folder: &Path) -> std::path::PathBuf {
    folder.join("sockeye.db")
}
