//! The connection that writes: with its prepared statements, and the advisory lock that keeps a second server out.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::time::Instant;
use tokio_postgres::Client;

use super::{schema, settings::Settings, statements::Statements, word_index};
use crate::store::{copy::rows::UNFINISHED, search::Fields};

/// The first key of the advisory locks; the second is the schema's number.
const LOCK_CLASS: i32 = 0x50c4_e7e0;
/// How long a starting server waits for the lock of one that is ending.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Time between two attempts to take the lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// A connection that is ready to write.
pub(super) struct WritingConnection {
    pub(super) client: Client,
    pub(super) statements: Statements,
}

/// Connects, and sets the session up. The connection's work is done by a task of the current runtime, which ends with
/// the returned client.
pub(super) async fn connect(settings: &Settings) -> anyhow::Result<Client> {
    let (client, connection) = settings.connection.connect(settings.tls.clone()).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to PostgreSQL has ended");
        }
    });
    client.batch_execute(&settings.session()).await?;
    Ok(client)
}

impl WritingConnection {
    /// Connects, takes the lock, and prepares the statements. The tables must exist.
    pub(super) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let mut client = connect(settings).await?;
        lock(&client, settings).await?;
        // While the server waited for the lock, a copy may have begun here, or have emptied the search's index.
        ensure!(!schema::has_unfinished_copy(&client).await?, UNFINISHED);
        if word_index::existing(&client).await? != settings.fields.as_ref().map(Fields::name) {
            schema::create(&mut client, settings).await?;
        }
        let statements = Statements::prepare(&client).await?;
        Ok(Self { client, statements })
    }
}

/// Takes the advisory lock of the schema, which ends with the session: alone, or together with other servers that share.
pub(super) async fn lock(client: &Client, settings: &Settings) -> anyhow::Result<()> {
    let function = if settings.is_shared { "pg_try_advisory_lock_shared" } else { "pg_try_advisory_lock" };
    let sql = format!("SELECT {function}({LOCK_CLASS}, oid::int) FROM pg_namespace WHERE nspname = $1");
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        let row = client.query_opt(&sql, &[&settings.schema]).await?;
        let is_locked: bool = row.context("the schema is gone")?.get(0);
        if is_locked {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!(
                "the schema {} is in use by another server: several may share it only if each has store.shared = true",
                settings.schema
            );
        }
        tokio::time::sleep(LOCK_INTERVAL).await;
    }
}
