//! The folder: its lock, its database, its migrations.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use super::database;
use crate::config::{ConfigError, StoreConfig, Synchronous};

const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("../../migrations/0001_messages.sql")),
    M::up(include_str!("../../migrations/0002_member_counts.sql")),
    M::up(include_str!("../../migrations/0003_arrival.sql")),
];

/// An open database for the writer, and the lock that keeps other servers out for as long as it is open.
pub(super) struct Opened {
    pub(super) db: Connection,
    pub(super) _lock: File,
}

/// Makes the folder if it is missing, and says in one sentence why it cannot be used.
pub fn check_folder(config: &StoreConfig) -> Result<(), ConfigError> {
    let folder = config.path.display();
    let _lock = lock(&config.path).map_err(|error| {
        ConfigError(match error.kind() {
            io::ErrorKind::WouldBlock => format!("store.path: {folder} is in use by another server"),
            _ => format!("store.path: {folder} cannot be written: {error}"),
        })
    })?;
    if !database(&config.path).exists() {
        return Ok(());
    }
    let version = open_reader(&config.path)
        .and_then(|db| db.pragma_query_value(None, "user_version", |row| row.get::<_, usize>(0)))
        .map_err(|error| ConfigError(format!("store.path: the database in {folder} cannot be read: {error}")))?;
    if version > MIGRATIONS.len() {
        return Err(ConfigError(format!("store.path: the database in {folder} was written by a newer sockeye")));
    }
    Ok(())
}

fn lock(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let lock = File::options().create(true).truncate(false).write(true).open(folder.join("sockeye.lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Opens for writing, and brings the schema up to date.
pub(super) fn open(config: &StoreConfig) -> anyhow::Result<Opened> {
    let lock = lock(&config.path)?;
    let mut db = Connection::open(database(&config.path))?;
    set_up(&db)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match config.synchronous {
        Synchronous::Normal => "NORMAL",
        Synchronous::Full => "FULL",
    };
    db.pragma_update(None, "synchronous", synchronous)?;
    // A checkpoint waits for the disk: one every 16 MiB instead of every 4.
    db.pragma_update(None, "wal_autocheckpoint", 4096)?;
    migrate(&mut db)?;
    Ok(Opened { db, _lock: lock })
}

/// Brings the schema up to date.
pub(super) fn migrate(db: &mut Connection) -> rusqlite_migration::Result<()> {
    Migrations::from_slice(MIGRATIONS).to_latest(db)
}

/// Opens for reading beside the writer.
pub(super) fn open_reader(folder: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(database(folder), flags)?;
    set_up(&db)?;
    Ok(db)
}

fn set_up(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_secs(5))?;
    // 16 MiB, in KiB and negative as SQLite wants it.
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
    fn messages_before_a_hole_that_was_made_by_hand_are_found() {
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
