//! Migrates a database of schema 1, 2 or 3: copies it in slices into a new file beside it, which then takes its name.
//!
//! The new file knows how far the copy is: each slice is one transaction that also writes the table `migration`. A
//! server that was stopped in the middle goes on there. The old file is not written to, so it stays as it was until the
//! new one is complete.

mod progress;
mod steps;

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use super::{
    database,
    schema::{self, BUSY},
};
pub(super) use progress::{Progress, ProgressLines};
use steps::{Key, steps};

/// Rows of one slice.
pub(super) const SLICE_ROWS: usize = 10_000;

/// How far the copy is, in the new file. It has one row, and is dropped when the server first opens the new file.
const PROGRESS_TABLE: &str = "CREATE TABLE migration (
    source TEXT NOT NULL, step INTEGER NOT NULL DEFAULT 0, key_1 ANY, key_2 ANY,
    done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL) STRICT";

/// Called after each slice. An error stops the migration, which the next call continues.
pub(super) type AfterSlice<'a> = dyn FnMut(Progress) -> anyhow::Result<()> + 'a;

/// Migrates the folder's database, if it is of an old schema. The caller holds the folder's lock.
pub(super) fn migrate(folder: &Path, slice_rows: usize, after_slice: &mut AfterSlice) -> anyhow::Result<()> {
    // A database that is a symbolic link stays one.
    let old = match database(folder).canonicalize() {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let version = {
        let db = Connection::open(&old)?;
        db.busy_timeout(BUSY)?;
        let version = schema::version(&db)?;
        if version == 0 || version >= schema::NEWEST {
            return Ok(());
        }
        let is_busy: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        ensure!(!is_busy, "another program reads {}: stop it, then start again", old.display());
        version
    };
    let files = Files { new: beside(&old, ".new"), old };
    files.migrate(version, slice_rows, after_slice).map_err(|error| files.advice(error))
}

/// The path with a suffix after the file's name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

struct Files {
    old: PathBuf,
    new: PathBuf,
}

impl Files {
    fn migrate(&self, version: u32, slice_rows: usize, after_slice: &mut AfterSlice) -> anyhow::Result<()> {
        let source = self.source()?;
        let mut db = self.open_new(&source)?;
        let old = format!("file:{}?mode=ro", uri_path(&self.old)?);
        db.execute("ATTACH ? AS old", [old])?;
        if !db.table_exists(Some("main"), "migration")? {
            begin(&db, &source)?;
        }
        copy(&mut db, version, slice_rows, after_slice)?;
        check_count(&db, version)?;
        ensure!(self.source()? == source, "{} was written to by another program", self.old.display());
        db.execute("DETACH old", [])?;
        db.close().map_err(|(_, error)| error)?;
        self.put_in_place()
    }

    /// The state of the old file: its header, length and time of change.
    fn source(&self) -> io::Result<String> {
        let file = File::open(&self.old)?;
        let mut header = [0; 100];
        file.read_exact_at(&mut header, 0)?;
        let metadata = file.metadata()?;
        let changed = format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec());
        Ok(format!("{} {} {changed}", hex::encode(header), metadata.len()))
    }

    /// Opens the new file. One that cannot be read, or was begun for another state of the old file, is removed first.
    fn open_new(&self, source: &str) -> anyhow::Result<Connection> {
        if let Ok(db) = self.connect_new()
            && let Ok(begun) = db.query_row("SELECT source FROM migration", [], |row| row.get::<_, String>(0))
            && begun == source
        {
            return Ok(db);
        }
        for suffix in ["", "-wal", "-shm"] {
            remove(&beside(&self.new, suffix))?;
        }
        let db = self.connect_new()?;
        schema::choose_vacuum(&db)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        Ok(db)
    }

    fn connect_new(&self) -> anyhow::Result<Connection> {
        // Mode 0600 from the start, since SQLite would create it readable by every user.
        File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.new)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let db = Connection::open_with_flags(&self.new, flags)?;
        db.busy_timeout(BUSY)?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        // 64 MiB; a negative value is in KiB.
        db.pragma_update(None, "cache_size", -65_536)?;
        Ok(db)
    }

    /// Gives the new file the name of the old one.
    fn put_in_place(&self) -> anyhow::Result<()> {
        let new = File::open(&self.new)?;
        new.set_permissions(fs::Permissions::from_mode(self.old.metadata()?.permissions().mode() & 0o777))?;
        new.sync_all()?;
        // The old log is empty, and the new one is part of the new file since its connection was closed. SQLite would
        // apply a log that is left to whatever database has the name.
        for log in [beside(&self.new, "-wal"), beside(&self.old, "-wal")] {
            let is_empty = log.metadata().map_or(true, |log| log.len() == 0);
            ensure!(is_empty, "{} is in use by another program", log.display());
        }
        for path in [&self.old, &self.new] {
            remove(&beside(path, "-wal"))?;
            remove(&beside(path, "-shm"))?;
        }
        fs::rename(&self.new, &self.old)?;
        let folder = self.old.parent().context("a file is in a folder")?;
        File::open(folder)?.sync_all()?;
        Ok(())
    }

    /// Adds what the operator can do about a failed migration.
    fn advice(&self, error: anyhow::Error) -> anyhow::Error {
        let (old, new) = (self.old.display(), self.new.display());
        let code = error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        let advice = match code {
            Some(ErrorCode::DiskFull) => {
                let bytes = self.old.metadata().map_or(0, |file| file.len());
                format!("the disk is full: the copy {new} needs about {} MB", bytes / 1_000_000 + 1)
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation) => format!(
                "{old} or {new} is damaged: remove {new} and start again; if that fails too, restore a backup, or recover \
                 the database with `sqlite3 {old} .recover`"
            ),
            _ => "start again to continue the migration".to_owned(),
        };
        error.context(format!("{old} could not be migrated and is unchanged; {advice}"))
    }
}

/// The path in a `file:` URI.
fn uri_path(path: &Path) -> anyhow::Result<String> {
    let path = path.to_str().context("the path of a database that is migrated must be UTF-8")?;
    Ok(path.replace('%', "%25").replace('?', "%3f").replace('#', "%23"))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Creates the tables in the new file.
fn begin(db: &Connection, source: &str) -> anyhow::Result<()> {
    let transaction = db.unchecked_transaction()?;
    schema::create_tables(db)?;
    db.execute(PROGRESS_TABLE, [])?;
    let mut total = 0;
    for table in steps::TABLES {
        total += count(db, "old", table)?;
    }
    db.execute("INSERT INTO migration (source, total) VALUES (?, ?)", params![source, total])?;
    Ok(transaction.commit()?)
}

fn count(db: &Connection, schema: &str, table: &str) -> rusqlite::Result<u64> {
    db.query_row(&format!("SELECT count(*) FROM {schema}.{table}"), [], |row| row.get(0))
}

/// Copies all tables, from where the last copy ended.
fn copy(db: &mut Connection, version: u32, slice_rows: usize, after_slice: &mut AfterSlice) -> anyhow::Result<()> {
    let steps = steps(version);
    loop {
        let place = "SELECT step, key_1, key_2, done, total FROM migration";
        let (number, key, progress): (usize, Key, _) = db.query_row(place, [], |row| {
            Ok((row.get(0)?, [row.get(1)?, row.get(2)?], Progress { done: row.get(3)?, total: row.get(4)? }))
        })?;
        let Some(step) = steps.get(number) else { return Ok(()) };
        let transaction = db.transaction()?;
        let copying = step.copy_slice(&transaction, key, slice_rows);
        let (copied, last) = copying.with_context(|| format!("the table {} cannot be copied", step.table))?;
        let done = progress.done + copied as u64;
        if copied < slice_rows {
            let next = "UPDATE migration SET step = ?, key_1 = NULL, key_2 = NULL, done = ?";
            transaction.execute(next, params![number + 1, done])?;
        } else {
            let [key_1, key_2] = last;
            transaction.execute("UPDATE migration SET key_1 = ?, key_2 = ?, done = ?", params![key_1, key_2, done])?;
        }
        if number + 1 == steps.len() && copied < slice_rows {
            transaction.pragma_update(None, "user_version", schema::NEWEST)?;
        }
        transaction.commit()?;
        after_slice(Progress { done, ..progress })?;
    }
}

/// Fails if the new file has not as many rows as the old one had at the beginning.
fn check_count(db: &Connection, version: u32) -> anyhow::Result<()> {
    let total: u64 = db.query_row("SELECT total FROM migration", [], |row| row.get(0))?;
    let mut copied = 0;
    for table in steps::TABLES {
        copied += count(db, "main", table)?;
    }
    if copied < total {
        copied += steps::without_message(db, version)?;
    }
    ensure!(copied == total, "{total} rows were to be copied, but the new file has {copied}");
    Ok(())
}

#[cfg(test)]
mod tests;
