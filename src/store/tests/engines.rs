//! Opens stores of both engines for tests.

use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};

use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::postgres_server::PostgresServer;
use crate::{
    config::{SearchConfig, StoreConfig},
    error::Result,
    metrics::Metrics,
    model::{Body, Message, Room, RoomName, User, UserId},
    store::{Command, Join, SaveMessage, SaveUserName, Store},
    supervise::Background,
};

/// Declares tests that run once with each engine.
macro_rules! contract {
    ($(async fn $name:ident($store:ident: TestStore) $body:block)*) => {
        mod sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let $store = TestStore::new(Engine::Sqlite);
                $body
            })*
        }

        mod postgres {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let $store = TestStore::new(Engine::Postgres);
                $body
            })*
        }
    };
}

pub(super) use contract;

/// The PostgreSQL of all tests that do not stop it. Each has a schema of its own.
static POSTGRES: LazyLock<Mutex<PostgresServer>> = LazyLock::new(|| Mutex::new(PostgresServer::start()));

static SCHEMAS: AtomicU32 = AtomicU32::new(0);

/// The name of an unused schema.
pub fn new_schema() -> String {
    format!("test_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed))
}

/// The URL of the shared PostgreSQL.
pub fn shared_url() -> String {
    POSTGRES.lock().url()
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// An open store, which is empty at first.
pub struct TestStore {
    pub store: Store,
    pub config: StoreConfig,
    pub search: SearchConfig,
    _background: Background,
    folder: Option<TempDir>,
}

impl TestStore {
    pub fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() };
        if engine == Engine::Postgres {
            (config.url, config.schema) = (shared_url(), new_schema());
        }
        Self { folder: Some(folder), ..Self::open(config) }
    }

    /// Opens what the configuration says.
    pub fn open(config: StoreConfig) -> Self {
        Self::open_with(config, SearchConfig { fields: vec!["text".to_owned()] })
    }

    /// Opens what the configuration says, with an index of these fields.
    pub fn open_with(config: StoreConfig, search: SearchConfig) -> Self {
        let mut background = Background::default();
        let store = Store::open(&config, &search, &Metrics::off(), &mut background).unwrap();
        Self { store, config, search, _background: background, folder: None }
    }

    /// Closes the store and opens it again.
    pub async fn reopen(self) -> Self {
        let search = self.search.clone();
        self.reopen_with(search).await
    }

    /// Closes the store and opens it again, with an index of these fields.
    pub async fn reopen_with(mut self, search: SearchConfig) -> Self {
        self.store.close().await;
        let (config, folder) = (self.config.clone(), self.folder.take());
        drop(self);
        Self { folder, ..Self::open_with(config, search) }
    }

    /// Queues a write. Writes that are queued one after the other usually share a commit.
    pub fn queue<C: Command>(&self, command: C) -> oneshot::Receiver<Result<C::Output>> {
        let (reply, answer) = oneshot::channel();
        self.store.write(command, |result, _| drop(reply.send(result)));
        answer
    }

    pub async fn write<C: Command>(&self, command: C) -> Result<C::Output> {
        self.queue(command).await.unwrap()
    }

    /// Posts a message, and returns it.
    pub async fn post(&self, room: &str, user: &str, text: &str) -> Message {
        self.write(post(room, user, text)).await.unwrap().message
    }

    pub async fn join(&self, user: &str, room: &str) -> Result<bool> {
        self.write(Join { user: id(user), room: named(room), rooms_per_user: usize::MAX }).await
    }

    pub async fn name(&self, user: &str, name: &str) {
        self.write(SaveUserName(User::new(id(user), name).unwrap())).await.unwrap();
    }

    /// All messages of a room.
    pub async fn all(&self, room: &str) -> Vec<Message> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let direction = crate::store::Direction::After(after);
            let page = self.store.page(named(room), id("reader"), direction, 200).await.unwrap();
            after = page.messages.last().map_or(after, |last| last.offset);
            all.extend(page.messages);
            if !page.more {
                return all;
            }
        }
    }
}

pub fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

pub fn user(name: &str) -> User {
    User::new(id(name), name).unwrap()
}

pub fn named(room: &str) -> Room {
    Room::Named(RoomName::parse(room).unwrap())
}

pub fn body(text: &str) -> Body {
    Body::from_json(serde_json::json!({ "text": text }).to_string())
}

/// A post whose sender becomes a member.
pub fn post(room: &str, sender: &str, text: &str) -> SaveMessage {
    SaveMessage {
        room: named(room),
        from: user(sender),
        body: body(text),
        idempotency_key: None,
        members: vec![id(sender)],
        rooms_per_user: usize::MAX,
    }
}

/// A post with an idempotency key.
pub fn post_once(room: &str, sender: &str, text: &str, key: &str) -> SaveMessage {
    SaveMessage { idempotency_key: Some(key.to_owned()), ..post(room, sender, text) }
}
