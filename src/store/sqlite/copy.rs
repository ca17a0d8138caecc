//! A database of SQLite as an end of a copy.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, params_from_iter,
    types::{Value as SqliteValue, ValueRef},
};
use sha2::{Digest, Sha256};

use super::{
    database, database_state, files,
    lock::{FolderLock, is_locked, lock_folder},
    schema, word_index,
};
use crate::{
    config::StoreConfig,
    store::copy::rows::{Column, NOT_EMPTY, Order, Progress, Slice, TABLES, Table, Value},
};

/// How far a copy into this database is, as JSON. The table is there until the copy is finished.
const PROGRESS_TABLE: &str = "CREATE TABLE IF NOT EXISTS copying (progress TEXT NOT NULL) STRICT";

/// An end of a copy.
pub(crate) struct SqliteEnd {
    db: Connection,
    file: PathBuf,
    /// `None` for a backup.
    _lock: Option<FolderLock>,
    /// Dropped after the connection: when a descriptor of the file is closed, the process loses the connection's locks.
    opened: File,
}

impl SqliteEnd {
    /// Opens what is copied from: the database in `config.path`, or the file of a backup.
    pub(crate) fn source(config: &StoreConfig) -> anyhow::Result<Self> {
        let shown = config.path.display();
        let path = config.path.canonicalize().with_context(|| format!("{shown} cannot be found"))?;
        if path.is_file() {
            let folder = path.parent().context("a file is in a folder")?;
            let is_database = database(folder).canonicalize().is_ok_and(|database| database == path);
            let is_in_use = is_database && folder.join("sockeye.lock").exists() && is_locked(folder);
            ensure!(!is_in_use, "{} is in use by a server", folder.display());
            let opened = File::open(&path)?;
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = Connection::open_with_flags(&path, flags)?;
            let version = schema::version(&db).with_context(|| format!("{shown} cannot be read as a database"))?;
            ensure!(
                version == schema::NEWEST,
                "the backup is of the schema {version}: move it into a folder of its own as sockeye.db, and copy that"
            );
            return Ok(Self { db, file: path, _lock: None, opened });
        }
        ensure!(database(&path).exists(), "{shown} holds no database");
        let lock = locked(&path)?;
        files::migrate(config)?;
        let file = database(&path).canonicalize()?;
        let opened = File::open(&file)?;
        let db = files::open_reader(&path)?;
        let version = schema::version(&db)?;
        ensure!(version != 0, "{shown} holds a database without tables");
        ensure!(
            version == schema::NEWEST,
            "the database was written by a newer sockeye: its schema is version {version}"
        );
        Ok(Self { db, file, _lock: Some(lock), opened })
    }

    /// Opens the folder that is copied to. Creates a missing one.
    pub(crate) fn destination(config: &StoreConfig) -> anyhow::Result<Self> {
        let shown = config.path.display();
        ensure!(!config.path.is_file(), "{shown} is a file, and not a folder");
        let lock = locked(&config.path)?;
        // A database that is refused must stay as it is: opening it for writing changes it.
        if database(&config.path).exists() {
            let _opened = File::open(database(&config.path))?;
            let db = files::open_reader(&config.path)?;
            let version = schema::version(&db)?;
            ensure!(version == 0 || version == schema::NEWEST, "{shown} holds a database of the schema {version}");
            if version == schema::NEWEST && !schema::has_unfinished_copy(&db)? {
                for table in TABLES {
                    let is_used = db.prepare(&format!("SELECT 1 FROM {} LIMIT 1", table.name))?.exists([])?;
                    ensure!(!is_used, NOT_EMPTY);
                }
            }
            db.close().map_err(|(_, error)| error)?;
        }
        let (db, original) = files::prepare(config)?;
        Ok(Self { db, file: database(&config.path), _lock: Some(lock), opened: original.into_file() })
    }

    /// A digest of the file and of its log.
    pub(crate) fn state(&self) -> anyhow::Result<String> {
        let state = database_state::state_of(&self.opened)?.context("the database is empty")?;
        let mut digest = Sha256::new_with_prefix(state);
        let mut log = self.file.clone().into_os_string();
        log.push("-wal");
        digest.update(fs::metadata(log).map_or(0, |log| log.len()).to_le_bytes());
        Ok(hex::encode(digest.finalize()))
    }

    pub(crate) fn count(&self, table: &Table) -> anyhow::Result<u64> {
        Ok(self.db.query_row(&format!("SELECT count(*) FROM {}", table.name), [], |row| row.get(0))?)
    }

    pub(crate) fn slice(
        &self,
        table: &Table,
        order: Order,
        after: Option<&[Value]>,
        limit: usize,
    ) -> anyhow::Result<Slice> {
        let names = |columns: &[Column]| columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
        let (columns, key, name) = (names(table.columns), names(order), table.name);
        let marks = vec!["?"; order.len()].join(", ");
        let after_key = after.map_or(String::new(), |_| format!("WHERE ({key}) > ({marks})"));
        let sql = format!("SELECT {columns}, {key} FROM {name} {after_key} ORDER BY {key} LIMIT {limit}");
        let mut select = self.db.prepare_cached(&sql)?;
        let after = after.unwrap_or_default().iter().cloned().map(to_sqlite);
        let mut rows = select.query(params_from_iter(after))?;
        let mut slice = Slice::default();
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(table.columns.len() + order.len());
            for at in 0..table.columns.len() + order.len() {
                values.push(from_sqlite(row.get_ref(at)?)?);
            }
            slice.last = Some(values.split_off(table.columns.len()));
            slice.rows.push(values);
        }
        Ok(slice)
    }

    /// Rooms are never removed: their highest number is there.
    pub(crate) fn highest_given(&self, table: &Table) -> anyhow::Result<i64> {
        let Some(column) = table.generated else { return Ok(0) };
        let there = format!("SELECT coalesce(max({column}), 0) FROM {}", table.name);
        let there: i64 = self.db.query_row(&there, [], |row| row.get(0))?;
        let given = "SELECT seq FROM sqlite_sequence WHERE name = ?";
        let given: Option<i64> = self.db.query_row(given, [table.name], |row| row.get(0)).optional()?;
        Ok(there.max(given.unwrap_or(0)))
    }

    pub(crate) fn progress(&self) -> anyhow::Result<Option<Progress>> {
        if !schema::has_unfinished_copy(&self.db)? {
            return Ok(None);
        }
        let text: String = self.db.query_row("SELECT progress FROM copying", [], |row| row.get(0))?;
        Ok(Some(serde_json::from_str(&text)?))
    }

    pub(crate) fn begin(&mut self, progress: &Progress) -> anyhow::Result<()> {
        let transaction = self.db.transaction()?;
        // The next start makes it anew.
        word_index::remove(&transaction)?;
        for table in TABLES {
            transaction.execute(&format!("DELETE FROM {}", table.name), [])?;
        }
        transaction.execute_batch(PROGRESS_TABLE)?;
        write_progress(&transaction, progress)?;
        Ok(transaction.commit()?)
    }

    pub(crate) fn write(&mut self, table: &Table, rows: Vec<Vec<Value>>, progress: &Progress) -> anyhow::Result<()> {
        let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let (columns, marks) = (names.join(", "), vec!["?"; names.len()].join(", "));
        let transaction = self.db.transaction()?;
        {
            let sql = format!("INSERT INTO {} ({columns}) VALUES ({marks})", table.name);
            let mut insert = transaction.prepare_cached(&sql)?;
            for row in rows {
                insert.execute(params_from_iter(row.into_iter().map(to_sqlite)))?;
            }
        }
        write_progress(&transaction, progress)?;
        Ok(transaction.commit()?)
    }

    pub(crate) fn finish(&mut self, given: &[(&Table, i64)]) -> anyhow::Result<()> {
        let transaction = self.db.transaction()?;
        for (table, highest) in given {
            // Has a row for a table of `AUTOINCREMENT` only: rooms are numbered after their highest.
            if table.name == "outbox" {
                transaction.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table.name])?;
                let insert = "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)";
                transaction.execute(insert, rusqlite::params![table.name, highest])?;
            }
        }
        transaction.execute("DROP TABLE copying", [])?;
        transaction.commit()?;
        // The copy is complete: what fails from now on is done by the next start.
        if let Err(error) = self.db.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "the write-ahead log of the copy could not be checkpointed");
        }
        Ok(())
    }
}

fn locked(folder: &Path) -> anyhow::Result<FolderLock> {
    lock_folder(folder).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => anyhow::anyhow!("{} is in use by a server", folder.display()),
        _ => anyhow::Error::new(error).context(format!("{} cannot be locked", folder.display())),
    })
}

fn write_progress(db: &Connection, progress: &Progress) -> anyhow::Result<()> {
    db.execute("DELETE FROM copying", [])?;
    db.execute("INSERT INTO copying (progress) VALUES (?)", [serde_json::to_string(progress)?])?;
    Ok(())
}

fn to_sqlite(value: Value) -> SqliteValue {
    match value {
        Value::Null => SqliteValue::Null,
        Value::Number(number) => SqliteValue::Integer(number),
        Value::Text(text) => SqliteValue::Text(text),
        Value::Bytes(bytes) => SqliteValue::Blob(bytes),
    }
}

fn from_sqlite(value: ValueRef<'_>) -> anyhow::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Number(number),
        ValueRef::Text(text) => Value::Text(std::str::from_utf8(text)?.to_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => anyhow::bail!("no column holds fractions"),
    })
}

#[cfg(test)]
mod tests;
