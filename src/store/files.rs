//! Opens the database in its folder and migrates it.

use std::{fs::File, io, io::Write, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use super::{
    database,
    file_identity::Original,
    lock::{self, Lock},
};
use crate::config::{ConfigError, StoreConfig, Synchronous};

const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("../../migrations/0001_messages.sql")),
    M::up(include_str!("../../migrations/0002_member_counts.sql")),
    M::up(include_str!("../../migrations/0003_arrival.sql")),
];

/// SQLite's busy timeout: how long to wait for a lock of another process.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// Bytes of the WAL file that remain allocated after a checkpoint.
const WAL_BYTES: u32 = 16 * 1024 * 1024;
/// Bytes that a test write needs on the disk.
const PROBE: usize = 64 * 1024;

/// The writer's connection, and the lock that keeps other servers out of the folder while it is open.
pub(super) struct Opened {
    pub(super) db: Connection,
    pub(super) original: Arc<Original>,
    pub(super) lock: Arc<Lock>,
}

/// Creates the folder if it is missing. The error says in one sentence why it cannot be used.
pub fn check_folder(config: &StoreConfig) -> Result<(), ConfigError> {
    let folder = config.path.display();
    let _lock = lock::take(&config.path).map_err(|error| {
        ConfigError(match error.kind() {
            io::ErrorKind::WouldBlock => format!("store.path: {folder} is in use by another server"),
            _ if is_full(&config.path) => full(&config.path),
            _ => format!("store.path: {folder} cannot be written: {error}"),
        })
    })?;
    if !database(&config.path).exists() {
        return Ok(());
    }
    let version = open_reader(&config.path)
        .and_then(|db| db.pragma_query_value(None, "user_version", |row| row.get::<_, usize>(0)))
        .map_err(|error| {
            ConfigError(match is_full(&config.path) {
                true => full(&config.path),
                false => format!("store.path: the database in {folder} cannot be read: {error}"),
            })
        })?;
    if version > MIGRATIONS.len() {
        return Err(ConfigError(format!("store.path: the database in {folder} was written by a newer sockeye")));
    }
    Ok(())
}

/// Whether the disk is full, by a test write. SQLite's own error is no help: without space for the WAL index it is
/// "unable to open database file".
fn is_full(folder: &Path) -> bool {
    let file = folder.join("sockeye.probe");
    let probe =
        File::create(&file).and_then(|mut file| file.write_all(&vec![0; PROBE]).and_then(|()| file.sync_data()));
    // The file may not exist: creating it may have failed.
    drop(std::fs::remove_file(&file));
    probe.is_err_and(|error| {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
    })
}

fn full(folder: &Path) -> String {
    format!("store.path: the disk of {} is full", folder.display())
}

/// Logs a warning if other users of the machine can read the database.
fn warn_if_world_readable(folder: &Path) {
    let mode = |path: &Path| path.metadata().map(|file| file.permissions().mode()).unwrap_or(0);
    let is_closed = mode(folder) & 0o001 == 0;
    for file in ["sockeye.db", "sockeye.db-wal"].map(|name| folder.join(name)) {
        if !is_closed && mode(&file) & 0o004 != 0 {
            tracing::warn!(file = %file.display(), "every user of this machine may read the messages: chmod 600");
        }
    }
}

/// Opens the database for writing and migrates the schema.
pub(super) fn open(config: &StoreConfig) -> anyhow::Result<Opened> {
    let lock = lock::take(&config.path)?;
    warn_if_world_readable(&config.path);
    let prepared = prepare(config).map_err(|error| match is_full(&config.path) {
        true => anyhow::anyhow!(full(&config.path)),
        false => error,
    });
    let (db, original) = prepared?;
    Ok(Opened { db, original: Arc::new(original), lock: Arc::new(lock) })
}

fn prepare(config: &StoreConfig) -> anyhow::Result<(Connection, Original)> {
    // Before SQLite opens the file: SQLite would create it readable by everybody.
    let original = Original::open(&config.path)?;
    let mut db = Connection::open(database(&config.path))?;
    set_up(&db)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match config.synchronous {
        Synchronous::Normal => "NORMAL",
        Synchronous::Full => "FULL",
    };
    db.pragma_update(None, "synchronous", synchronous)?;
    // A checkpoint waits for the disk: one every 16 MiB (4,096 pages) instead of SQLite's 4 MiB.
    db.pragma_update(None, "wal_autocheckpoint", 4096)?;
    db.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    migrate(&mut db)?;
    // A random id in the header tells this file from a copy of it.
    db.pragma_update(None, "application_id", rand::random_range(1..=i32::MAX))?;
    empty_wal(&db, &original, BUSY).context("the write-ahead log cannot be checkpointed")?;
    Ok((db, original))
}

/// Checkpoints the WAL into the database and truncates it. Does nothing if a reader uses the WAL for longer than
/// `patience`.
pub(super) fn empty_wal(db: &Connection, original: &Original, patience: Duration) -> rusqlite::Result<()> {
    db.busy_timeout(patience)?;
    let is_busy = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    db.busy_timeout(BUSY)?;
    if !is_busy? {
        original.remember();
    }
    Ok(())
}

/// Migrates the schema to the newest version.
pub(super) fn migrate(db: &mut Connection) -> rusqlite_migration::Result<()> {
    Migrations::from_slice(MIGRATIONS).to_latest(db)
}

/// Opens a read-only connection beside the writer's.
pub(super) fn open_reader(folder: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(database(folder), flags)?;
    set_up(&db)?;
    Ok(db)
}

fn set_up(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY)?;
    // 16 MiB; a negative value is in KiB.
    db.pragma_update(None, "cache_size", -16_384)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::chain;

    #[test]
    fn messages_around_a_gap_in_the_offsets_are_found() {
        let mut db = Connection::open_in_memory().unwrap();
        Migrations::from_slice(&MIGRATIONS[..2]).to_latest(&mut db).unwrap();
        db.execute_batch(
            "INSERT INTO rooms (id, key) VALUES (1, 'a');
             INSERT INTO messages (room, offset, id, revision, user_id, user_name, at, body)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
             SELECT 1, i, randomblob(16), i, 'ada', 'Ada', 0, '{}' FROM n;
             DELETE FROM messages WHERE offset BETWEEN 40 AND 140;",
        )
        .unwrap();
        migrate(&mut db).unwrap();
        for (from, to, count) in [(1, 39, 39), (1, 200, 99), (20, 150, 30), (50, 60, 0)] {
            assert_eq!(chain::numbers(&db, 1, from..=to).unwrap().len(), count, "{from} to {to}");
        }
        assert_eq!(chain::numbers_upwards(&db, 1, 1..=200).map(Result::unwrap).count(), 99);
    }
}
