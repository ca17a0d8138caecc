//! Opens the database in its folder.

use std::{fs::File, io, io::Write, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    database, database_state,
    file_identity::OriginalFile,
    lock::{self, FolderLock},
    old_schemas,
    schema::{self, BUSY},
};
use crate::{
    config::{ConfigError, StoreConfig, Synchronous},
    restart::Database,
    store::copy::rows::UNFINISHED,
};

/// Bytes of the WAL file that remain allocated after a checkpoint.
const WAL_BYTES: u32 = 16 * 1024 * 1024;
/// Size in bytes of the file that [`is_full`] writes, to find out whether the disk is full.
const PROBE: usize = 64 * 1024;

/// The database opened for writing: the writer's connection, the file, and the lock on the folder.
pub(super) struct OpenDatabase {
    pub(super) db: Connection,
    pub(super) original: Arc<OriginalFile>,
    pub(super) lock: Arc<FolderLock>,
    /// The state in which the process before has left the file. `None` if it is a new one or cannot be read.
    pub(super) found: Option<Database>,
}

/// Checks that the folder can be used; creates it if it is missing. The error is one sentence with the reason.
pub fn check_folder(config: &StoreConfig) -> Result<(), ConfigError> {
    let folder = config.path.display();
    let _lock = lock::lock_folder(&config.path).map_err(|error| {
        ConfigError(match error.kind() {
            io::ErrorKind::WouldBlock => format!("store.path: {folder} is in use by another server"),
            _ if is_full(&config.path) => full(&config.path),
            _ => format!("store.path: {folder} cannot be written: {error}"),
        })
    })?;
    if !database(&config.path).exists() {
        return Ok(());
    }
    let version = open_reader(&config.path).and_then(|db| schema::version(&db)).map_err(|error| {
        ConfigError(match is_full(&config.path) {
            true => full(&config.path),
            false => format!("store.path: the database in {folder} cannot be read: {error}"),
        })
    })?;
    if version > schema::NEWEST {
        return Err(ConfigError(format!("store.path: the database in {folder} was written by a newer sockeye")));
    }
    Ok(())
}

/// Whether the disk is full, according to a test write. SQLite's own error does not say so: without space for the WAL
/// index it is "unable to open database file".
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
    let is_folder_open = mode(folder) & 0o001 != 0;
    for file in ["sockeye.db", "sockeye.db-wal"].map(|name| folder.join(name)) {
        if is_folder_open && mode(&file) & 0o004 != 0 {
            tracing::warn!(file = %file.display(), "every user of this machine may read the messages: chmod 600");
        }
    }
}

/// Opens the database for writing. Creates a missing one, and migrates one of an old schema.
pub(super) fn open(config: &StoreConfig) -> anyhow::Result<OpenDatabase> {
    let lock = lock::lock_folder(&config.path)?;
    warn_if_world_readable(&config.path);
    // An error of the file shows when it is opened.
    let found = database_state::database_state(&config.path).ok().flatten();
    let (db, original) =
        migrate(config).and_then(|()| prepare(config)).map_err(|error| match is_full(&config.path) {
            true => error.context(full(&config.path)),
            false => error,
        })?;
    ensure!(!schema::has_unfinished_copy(&db)?, UNFINISHED);
    Ok(OpenDatabase { db, original: Arc::new(original), lock: Arc::new(lock), found })
}

/// Replaces a database of an old schema by a copy of the newest schema.
pub(super) fn migrate(config: &StoreConfig) -> anyhow::Result<()> {
    let mut lines = old_schemas::ProgressLines::default();
    old_schemas::migrate(&config.path, old_schemas::SLICE_ROWS, &mut |progress| {
        lines.log(progress);
        Ok(())
    })
}

/// Opens the database for writing, and creates a missing one. The caller holds the folder's lock.
pub(super) fn prepare(config: &StoreConfig) -> anyhow::Result<(Connection, OriginalFile)> {
    // Must come before SQLite opens the file: SQLite would create it readable by every user.
    let original = OriginalFile::open(&config.path)?;
    let mut db = Connection::open(database(&config.path))?;
    set_up(&db)?;
    schema::choose_vacuum(&db)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    set_synchronous(&db, config)?;
    // A checkpoint waits for the disk. It runs every 16 MiB (4,096 pages) instead of SQLite's 4 MiB.
    db.pragma_update(None, "wal_autocheckpoint", 4096)?;
    db.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    schema::create(&mut db)?;
    // The header of the database file gets a new random id at each start. A copy that was made earlier has another id.
    db.pragma_update(None, "application_id", rand::random_range(1..=i32::MAX))?;
    truncate_wal(&db, &original, BUSY).context("the write-ahead log cannot be checkpointed")?;
    Ok((db, original))
}

/// Checkpoints the WAL into the database and truncates it. Does nothing if a reader uses the WAL for longer than
/// `timeout`.
pub(super) fn truncate_wal(db: &Connection, original: &OriginalFile, timeout: Duration) -> rusqlite::Result<()> {
    db.busy_timeout(timeout)?;
    let is_busy = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    db.busy_timeout(BUSY)?;
    if !is_busy? {
        original.record();
    }
    Ok(())
}

/// Opens a read-only connection beside the writer's.
pub(super) fn open_reader(folder: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(database(folder), flags)?;
    set_up(&db)?;
    Ok(db)
}

/// Opens a connection for checkpoints beside the writer's.
pub(super) fn open_for_checkpoints(config: &StoreConfig) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(database(&config.path), flags)?;
    set_up(&db)?;
    set_synchronous(&db, config)?;
    // Even if it is the last connection: the file may have been replaced, and its log is at the same path.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(db)
}

fn set_synchronous(db: &Connection, config: &StoreConfig) -> rusqlite::Result<()> {
    let synchronous = match config.synchronous {
        Synchronous::Normal => "NORMAL",
        Synchronous::Full => "FULL",
    };
    db.pragma_update(None, "synchronous", synchronous)
}

fn set_up(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY)?;
    // 16 MiB; a negative value is in KiB.
    db.pragma_update(None, "cache_size", -16_384)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}
