//! SQLite: one file in a folder of this machine. One thread writes and groups commits; a pool of threads reads. None of
//! its SQL runs on the threads of the async runtime.

mod backup;
mod checkpoints;
mod copy;
mod database_state;
mod file_identity;
mod files;
mod lock;
mod members;
mod messages;
mod old_schemas;
mod readers;
mod removal;
mod rooms;
mod schema;
mod search;
mod tables;
mod users;
mod vacuum;
mod wal;
mod word_index;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

pub use backup::backup;
pub(super) use copy::SqliteEnd;
pub use files::check_folder;
pub(crate) use lock::{FolderLock, is_locked, lock_folder};

use super::{
    Left,
    command::Probe,
    reads::{CatchUp, Direction, FoundMessages, RoomContents, RoomNameQuery, ScanPlace, StoredRoom},
    search::{Fields, Found, Search},
    writer::Writer,
};
use crate::{
    config::{SearchConfig, StoreConfig},
    error::{Error, Result},
    metrics::Metrics,
    model::{Message, MessageId, Room, RoomName, User, UserId},
    protocol::{Membership, Page, RoomUser, UserList},
    restart::Database,
    supervise::Background,
};
use checkpoints::Checkpoints;
use file_identity::OriginalFile;
use readers::Readers;
use word_index::WordIndex;

/// The name of the search's index; `None` without one.
pub(super) fn index_name(config: &StoreConfig) -> rusqlite::Result<Option<String>> {
    match database(&config.path).exists() {
        true => word_index::existing(&files::open_reader(&config.path)?),
        false => Ok(None),
    }
}

/// The open database.
pub(crate) struct Sqlite {
    writer: Writer,
    readers: Readers,
    checkpoints: Checkpoints,
    original: Arc<OriginalFile>,
    /// Searches take longer than other reads: these leave threads to the others.
    searches: Arc<Semaphore>,
    /// The fields that are searched.
    fields: Option<Fields>,
    /// Whether all messages were indexed when the database was opened.
    is_indexed: bool,
    /// Held until [`Sqlite::close`], even if the writer thread has ended.
    lock: Mutex<Option<Arc<FolderLock>>>,
    folder: PathBuf,
    /// The state in which the process before has left the database. `None` if the database is new.
    found: Option<Database>,
}

impl Sqlite {
    /// Opens the database in the configured folder. Creates a missing one, and migrates an old one. Must be called on the
    /// runtime that runs the commit callbacks.
    pub(super) fn open(
        config: &StoreConfig,
        search: &SearchConfig,
        metrics: &Metrics,
        background: &mut Background,
    ) -> Result<Self> {
        let mut opened = files::open(config).map_err(|error| Error::internal("the store cannot be opened", error))?;
        let fields = Fields::new(search);
        let is_indexed = word_index::create(&mut opened.db, fields.as_ref())
            .map_err(|error| Error::internal("the index of the search cannot be created", error))?;
        let (original, lock, found) = (opened.original.clone(), opened.lock.clone(), opened.found);
        let readers = Readers::start(config, &original, metrics, background)?;
        let checkpoints = Checkpoints::start(config, &original, background)?;
        let requests = checkpoints.requests();
        let for_thread = metrics.clone();
        let index = fields.clone().map(WordIndex::new);
        let writer = Writer::start(metrics, background, move |thread| {
            write::write(&opened, index, &requests, thread, &for_thread)
        })?;
        let searches = Arc::new(Semaphore::new((config.readers / 2).max(1)));
        let (lock, folder) = (Mutex::new(Some(lock)), config.path.clone());
        Ok(Self { writer, readers, checkpoints, original, searches, fields, is_indexed, lock, folder, found })
    }

    pub(super) fn found(&self) -> Option<Database> {
        self.found
    }

    pub(super) fn left(&self) -> Left {
        let folder = self.folder.clone();
        Box::new(move || database_state::database_state(&folder)?.ok_or_else(|| io::ErrorKind::NotFound.into()))
    }

    pub(super) fn folder_lock(&self) -> Option<Arc<FolderLock>> {
        self.lock.lock().clone()
    }

    pub(super) fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Whether all messages were indexed for the search when the database was opened.
    pub(super) fn is_indexed(&self) -> bool {
        self.is_indexed
    }

    pub(super) async fn page(&self, room: Room, reader: UserId, direction: Direction, limit: usize) -> Result<Page> {
        self.readers.read(move |db| messages::page(db, &room, &reader, direction, limit)).await
    }

    pub(super) async fn catch_up(&self, room: Room, reader: UserId, since: Option<u64>) -> Result<CatchUp> {
        self.readers.read(move |db| messages::catch_up(db, &room, &reader, since)).await
    }

    pub(super) async fn message(&self, id: MessageId) -> Result<Option<(Room, Message)>> {
        self.readers.read(move |db| messages::by_id(db, id)).await
    }

    pub(super) async fn search(&self, search: Search) -> Result<Found> {
        let Some(fields) = self.fields.clone() else { return Ok(Found::default()) };
        let permit = self.searches.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::unavailable("the store is closing"))?;
        // The permit belongs to the thread: it goes on if the request is cancelled.
        let search = move |db: &Connection| {
            let _permit = permit;
            search::search_in_time(db, &fields, &search)
        };
        let found = self.readers.read(search).await?;
        found.ok_or_else(|| Error::unavailable("the search takes too long: give more of a word, or a room"))
    }

    pub(super) async fn memberships(&self, user: UserId) -> Result<Vec<Membership>> {
        self.readers.read(move |db| members::memberships(db, &user)).await
    }

    pub(super) async fn users(&self, room: Room, present: Vec<User>) -> Result<UserList> {
        self.readers.read(move |db| members::users(db, &room, present)).await
    }

    pub(super) async fn user(&self, id: UserId) -> Result<Option<RoomUser>> {
        self.readers.read(move |db| users::find(db, &id)).await
    }

    pub(super) async fn user_named(&self, id: UserId) -> Result<User> {
        self.readers.read(move |db| users::named(db, &id)).await
    }

    pub(super) async fn users_after(&self, after: Option<UserId>, limit: usize) -> Result<Vec<RoomUser>> {
        self.readers.read(move |db| users::after(db, after.as_ref(), limit)).await
    }

    pub(super) async fn members_after(&self, room: Room, after: Option<UserId>, limit: usize) -> Result<Vec<RoomUser>> {
        self.readers.read(move |db| members::members_after(db, &room, after.as_ref(), limit)).await
    }

    pub(super) async fn room_names(&self, which: RoomNameQuery, limit: usize) -> Result<Vec<RoomName>> {
        self.readers.read(move |db| rooms::names(db, &which, limit)).await
    }

    pub(super) async fn rooms(&self, names: Vec<RoomName>) -> Result<Vec<Option<StoredRoom>>> {
        self.readers.read(move |db| rooms::stored(db, &names)).await
    }

    pub(super) async fn contents(&self, after: Option<Room>, limit: usize) -> Result<Vec<RoomContents>> {
        self.readers.read(move |db| removal::contents(db, after.as_ref(), limit)).await
    }

    pub(super) async fn messages_of(&self, user: UserId, from: ScanPlace) -> Result<FoundMessages> {
        self.readers.read(move |db| removal::messages_of(db, &user, from)).await
    }

    pub(super) async fn key_count(&self, user: UserId) -> Result<u64> {
        self.readers.read(move |db| removal::key_count(db, &user)).await
    }

    /// Whether the last commit and recent reads succeeded, and the file at the path is still the open database.
    pub(super) async fn is_ready(&self) -> bool {
        if !self.writer.is_healthy() {
            // A server that is not ready usually gets no requests, and therefore no writes. This check queues a write
            // of its own, to test whether the disk works again.
            self.writer.try_to_write(Probe);
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
    pub(super) async fn close(&self) {
        // The connection that closes last merges the WAL into the database. It must be the writer's.
        self.readers.close().await;
        self.checkpoints.close().await;
        self.writer.close().await;
        drop(self.lock.lock().take());
    }
}

/// The path of the database within the folder.
fn database(folder: &Path) -> PathBuf {
    folder.join("sockeye.db")
}
