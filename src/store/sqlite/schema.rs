//! The tables of the newest schema, and the version of a database.

use std::time::Duration;

use rusqlite::Connection;

/// SQLite's busy timeout: how long to wait for a lock of another process.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// The newest version: `PRAGMA user_version` of a database that this server has opened.
pub(super) const NEWEST: u32 = 4;

const TABLES: &str = include_str!("../../../migrations/sqlite/0004_schema.sql");

/// The schema's version; 0 for a database without tables.
pub(super) fn version(db: &Connection) -> rusqlite::Result<u32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Lets a new database return the pages of removed rows to the file system. SQLite refuses it after the first table.
pub(super) fn choose_vacuum(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")
}

/// Creates the tables in an empty database. Does nothing in one of the newest version.
pub(super) fn create(db: &mut Connection) -> anyhow::Result<()> {
    match version(db)? {
        0 => {
            let transaction = db.transaction()?;
            create_tables(&transaction)?;
            transaction.pragma_update(None, "user_version", NEWEST)?;
            transaction.commit()?;
        }
        NEWEST => db.execute_batch("DROP TABLE IF EXISTS migration")?,
        newer => anyhow::bail!("the database was written by a newer sockeye: its schema is version {newer}"),
    }
    Ok(())
}

/// Creates the tables, but leaves the version at 0.
pub(super) fn create_tables(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(TABLES)
}

/// Whether the database holds a part of a copy.
pub(super) fn has_unfinished_copy(db: &Connection) -> rusqlite::Result<bool> {
    db.table_exists(Some("main"), "copying")
}
