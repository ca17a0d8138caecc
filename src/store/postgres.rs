//! PostgreSQL: a schema in a database of 13 or later. One connection writes and groups commits; a pool of connections
//! reads.

mod connection;
mod copy;
mod flush;
mod group;
mod load;
mod loaded;
mod members;
mod messages;
mod readers;
mod removal;
mod rows;
mod schema;
mod search;
mod settings;
mod statements;
mod tls;
mod word_index;
mod write;

use std::sync::mpsc;

use anyhow::Context;
use futures_util::FutureExt;
use tokio::runtime::Builder;

use super::{
    command::Probe,
    reads::{self, CatchUp, Direction, FoundMessages, RoomContents, RoomNameQuery, ScanPlace, StoredRoom},
    search::{Fields, Found, Search},
    writer::Writer,
};
use crate::{
    config::{ConfigError, SearchConfig, StoreConfig},
    error::{Error, Result},
    metrics::Metrics,
    model::{Message, MessageId, Room, RoomName, User, UserId},
    protocol::{Membership, Page, RoomUser, UserList},
    restart::Database,
    supervise::Background,
};
use connection::WritingConnection;
pub(super) use copy::PostgresEnd;
use group::GroupWriter;
use readers::Readers;
use settings::Settings;

/// Checks the settings and the files that they name.
pub(super) fn check(config: &StoreConfig) -> std::result::Result<(), ConfigError> {
    Settings::new(config).map(drop)
}

/// The open schema.
pub(crate) struct Postgres {
    writer: Writer,
    readers: Readers,
    identity: Database,
}

impl Postgres {
    /// Connects, and creates the tables if they are missing. Must be called on the runtime that runs the commit
    /// callbacks.
    pub(super) fn open(
        config: &StoreConfig,
        search: &SearchConfig,
        metrics: &Metrics,
        background: &mut Background,
    ) -> Result<Self> {
        let settings = Settings::new(config).map_err(|error| Error::internal("the store cannot be opened", error))?;
        let settings = Settings { fields: Fields::new(search), ..settings };
        let readers = Readers::new(&settings, metrics)?;
        let (opened, is_open) = mpsc::channel();
        let for_thread = metrics.clone();
        let writer = Writer::start(metrics, background, move |thread| {
            let start = || {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                let (connection, identity) = runtime.block_on(open(&settings))?;
                anyhow::Ok((runtime, connection, identity))
            };
            match start() {
                Ok((runtime, connection, identity)) => {
                    // Only `open` receives it, which waits for it.
                    drop(opened.send(Ok(identity)));
                    write::write(&runtime, GroupWriter::new(&settings, connection, &for_thread), thread)
                }
                // The server does not start: nobody needs to be told that the thread has ended.
                Err(error) => {
                    drop(opened.send(Err(error)));
                    Ok(())
                }
            }
        })?;
        let opened = is_open.recv().context("the writing thread has ended").and_then(|opened| opened);
        let identity = opened.map_err(|error| Error::internal("the store cannot be opened", error))?;
        Ok(Self { writer, readers, identity })
    }

    /// Says which schema it is.
    pub(super) fn identity(&self) -> Database {
        self.identity
    }

    pub(super) fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(super) async fn page(&self, room: Room, reader: UserId, direction: Direction, limit: usize) -> Result<Page> {
        self.readers
            .read(&(room, reader, direction, limit), |client, (room, reader, direction, limit)| {
                messages::page(client, room, reader, *direction, *limit).boxed()
            })
            .await
    }

    pub(super) async fn catch_up(&self, room: Room, reader: UserId, since: Option<u64>) -> Result<CatchUp> {
        self.readers
            .read(&(room, reader, since), |client, (room, reader, since)| {
                messages::catch_up(client, room, reader, *since).boxed()
            })
            .await
    }

    pub(super) async fn message(&self, id: MessageId) -> Result<Option<(Room, Message)>> {
        self.readers.read(&id, |client, id| messages::by_id(client, *id).boxed()).await
    }

    pub(super) async fn search(&self, search: Search) -> Result<Found> {
        self.readers.read(&search, |client, search| search::search(client, search).boxed()).await
    }

    pub(super) async fn memberships(&self, user: UserId) -> Result<Vec<Membership>> {
        self.readers.read(&user, |client, user| members::memberships(client, user).boxed()).await
    }

    pub(super) async fn users(&self, room: Room, present: Vec<User>) -> Result<UserList> {
        self.readers
            .read(&(room, present), |client, (room, present)| members::users(client, room, present.clone()).boxed())
            .await
    }

    pub(super) async fn user(&self, id: UserId) -> Result<Option<RoomUser>> {
        self.readers.read(&id, |client, id| members::find_user(client, id).boxed()).await
    }

    pub(super) async fn user_named(&self, id: UserId) -> Result<User> {
        Ok(self.user(id.clone()).await?.map_or_else(|| reads::user(id, None), |known| known.user))
    }

    pub(super) async fn users_after(&self, after: Option<UserId>, limit: usize) -> Result<Vec<RoomUser>> {
        self.readers
            .read(&(after, limit), |client, (after, limit)| {
                members::users_after(client, after.as_ref(), *limit).boxed()
            })
            .await
    }

    pub(super) async fn members_after(&self, room: Room, after: Option<UserId>, limit: usize) -> Result<Vec<RoomUser>> {
        self.readers
            .read(&(room, after, limit), |client, (room, after, limit)| {
                members::members_after(client, room, after.as_ref(), *limit).boxed()
            })
            .await
    }

    pub(super) async fn room_names(&self, which: RoomNameQuery, limit: usize) -> Result<Vec<RoomName>> {
        self.readers
            .read(&(which, limit), |client, (which, limit)| members::room_names(client, which, *limit).boxed())
            .await
    }

    pub(super) async fn rooms(&self, names: Vec<RoomName>) -> Result<Vec<Option<StoredRoom>>> {
        self.readers.read(&names, |client, names| members::stored_rooms(client, names).boxed()).await
    }

    pub(super) async fn contents(&self, after: Option<Room>, limit: usize) -> Result<Vec<RoomContents>> {
        self.readers
            .read(&(after, limit), |client, (after, limit)| removal::contents(client, after.as_ref(), *limit).boxed())
            .await
    }

    pub(super) async fn messages_of(&self, user: UserId, from: ScanPlace) -> Result<FoundMessages> {
        self.readers.read(&(user, from), |client, (user, from)| removal::messages_of(client, user, *from).boxed()).await
    }

    pub(super) async fn key_count(&self, user: UserId) -> Result<u64> {
        self.readers.read(&user, |client, user| removal::key_count(client, user).boxed()).await
    }

    /// Whether the last commit succeeded, and the database answers.
    pub(super) async fn is_ready(&self) -> bool {
        if !self.writer.is_healthy() {
            self.writer.try_to_write(Probe);
            return false;
        }
        let answer =
            self.readers.read(&(), |client, ()| async { Ok(client.batch_execute("SELECT 1").await?) }.boxed()).await;
        if let Err(error) = &answer {
            tracing::debug!(%error, "the store is not ready");
        }
        answer.is_ok()
    }

    /// Commits the queued writes, runs their callbacks, and closes the connections.
    pub(super) async fn close(&self) {
        self.readers.close();
        self.writer.close().await;
    }
}

/// The name of the search's index; `None` without one.
pub(super) async fn index_name(config: &StoreConfig) -> anyhow::Result<Option<String>> {
    word_index::existing(&connection::connect(&Settings::new(config)?).await?).await
}

/// Creates the tables if they are missing, and opens the connection that writes.
async fn open(settings: &Settings) -> anyhow::Result<(WritingConnection, Database)> {
    let mut client = connection::connect(settings).await?;
    schema::create(&mut client, settings).await?;
    let identity = schema::identity(&client).await?;
    drop(client);
    Ok((WritingConnection::open(settings).await?, identity))
}

/// The names and texts of the statements whose plans a test checks.
#[cfg(test)]
pub(super) fn statement_texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    let reads = [
        ("by_id", messages::BY_ID),
        ("page_before", messages::PAGE_BEFORE),
        ("page_after", messages::PAGE_AFTER),
        ("changed_after", messages::CHANGED_AFTER),
        ("head_and_newest", messages::HEAD_AND_NEWEST),
        ("recent_hits", search::RECENT_HITS),
        ("hits", search::HITS),
        ("by_ids", search::BY_IDS),
        ("users", members::USERS),
        ("memberships", members::MEMBERSHIPS),
        ("contents", removal::CONTENTS),
        ("messages_of", removal::MESSAGES_OF),
    ];
    statements::Statements::TEXTS.iter().copied().chain(reads)
}
