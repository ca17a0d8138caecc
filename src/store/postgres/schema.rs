//! The tables in PostgreSQL, and their version.

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};
use tokio_postgres::{Client, GenericClient, error::SqlState};

use super::{settings::Settings, word_index};
use crate::restart::Database;

/// The newest version: the row `schema` in the table `store`.
const NEWEST: i32 = 1;

const TABLES: &str = include_str!("../../../migrations/postgres/0001_schema.sql");

/// The oldest PostgreSQL that is supported, as `server_version_num` writes it.
const OLDEST_SERVER: i32 = 130_000;

/// Creates the schema and its tables if they are missing. Two servers may do so at the same time.
pub(super) async fn create(client: &mut Client, settings: &Settings) -> anyhow::Result<()> {
    check_server(client).await?;
    let transaction = client.transaction().await?;
    // Ends with the transaction. The name is that of the schema, which may not exist yet.
    transaction
        .execute("SELECT pg_advisory_xact_lock(hashtextextended('sockeye ' || $1, 0))", &[&settings.schema])
        .await?;
    let exists = transaction.query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&settings.schema]).await?;
    if exists.is_none() {
        let sql = format!("CREATE SCHEMA {}", settings.quoted_schema());
        transaction.batch_execute(&sql).await.context("the schema cannot be created")?;
    }
    if has_tables(&transaction, settings).await? {
        check_version(&transaction, settings).await?;
    } else {
        transaction.batch_execute(TABLES).await.context("the tables cannot be created")?;
        let insert = "INSERT INTO store (name, value) VALUES ('schema', $1), ('probe', '0')";
        transaction.execute(insert, &[&NEWEST.to_string()]).await?;
    }
    word_index::create(&transaction, settings.fields.as_ref()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Says which tables these are. A database that is restored from a dump gets new tables, and a server that goes back to
/// an earlier moment, or on from a standby, begins a new timeline.
pub(super) async fn identity(client: &Client) -> anyhow::Result<Database> {
    let tables: u32 = client.query_one("SELECT 'messages'::regclass::oid", &[]).await?.get(0);
    let cluster = client
        .query_one("SELECT system_identifier, timeline_id FROM pg_control_system(), pg_control_checkpoint()", &[])
        .await;
    let (cluster, timeline): (i64, i32) = match cluster {
        Ok(row) => (row.get(0), row.get(1)),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => (0, 0),
        Err(error) => return Err(error.into()),
    };
    Ok(Sha256::digest(format!("{cluster} {timeline} {tables}")).into())
}

/// Checks the server, and that the schema has its tables. Creates nothing.
pub(super) async fn check(client: &Client, settings: &Settings) -> anyhow::Result<()> {
    check_server(client).await?;
    ensure!(has_tables(client, settings).await?, "the schema {} has no tables of sockeye", settings.schema);
    check_version(client, settings).await
}

async fn check_server(client: &Client) -> anyhow::Result<()> {
    let row = client
        .query_one("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')", &[])
        .await?;
    let (server, encoding): (i32, String) = (row.get(0), row.get(1));
    ensure!(server >= OLDEST_SERVER, "PostgreSQL 13 or later is needed, and this is {}", server / 10_000);
    ensure!(encoding == "UTF8", "the database's encoding must be UTF8, and it is {encoding}");
    Ok(())
}

/// Whether the schema has tables of a server.
pub(super) async fn has_tables(client: &impl GenericClient, settings: &Settings) -> anyhow::Result<bool> {
    // The table that holds the version.
    let table = format!("{}.store", settings.quoted_schema());
    Ok(client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?.get(0))
}

async fn check_version(client: &impl GenericClient, settings: &Settings) -> anyhow::Result<()> {
    let version = client.query_opt("SELECT value FROM store WHERE name = 'schema'", &[]).await?;
    let version: Option<i32> = version.and_then(|row| row.get::<_, String>(0).parse().ok());
    match version {
        Some(NEWEST) => Ok(()),
        Some(newer) if newer > NEWEST => {
            bail!("the tables were written by a newer sockeye: their version is {newer}")
        }
        _ => bail!("the schema {} has a table `store` that is not sockeye's", settings.schema),
    }
}

/// Whether the schema holds a part of a copy.
pub(super) async fn has_unfinished_copy(client: &Client) -> Result<bool, tokio_postgres::Error> {
    Ok(client.query_one("SELECT to_regclass('copying') IS NOT NULL", &[]).await?.get(0))
}
