//! The two ends of a copy: a database of either engine.

use super::rows::{Order, Progress, Slice, Table, Value};
use crate::store::{postgres::PostgresEnd, sqlite::SqliteEnd};

/// A database that is copied from or to. Its lock keeps servers out until it is dropped.
pub(super) enum End {
    Sqlite(SqliteEnd),
    Postgres(PostgresEnd),
}

impl End {
    /// The state of the database: another one after a server has written to it.
    pub(super) async fn state(&mut self) -> anyhow::Result<String> {
        match self {
            Self::Sqlite(end) => end.state(),
            Self::Postgres(end) => end.state().await,
        }
    }

    pub(super) async fn count(&mut self, table: &Table) -> anyhow::Result<u64> {
        match self {
            Self::Sqlite(end) => end.count(table),
            Self::Postgres(end) => end.count(table).await,
        }
    }

    /// The order in which this engine's rows are copied.
    pub(super) fn order(&self, table: &Table) -> Order {
        match self {
            Self::Sqlite(_) => table.sqlite_order,
            Self::Postgres(_) => table.postgres_order,
        }
    }

    /// The rows after a key, at most `limit`.
    pub(super) async fn slice(
        &mut self,
        table: &Table,
        order: Order,
        after: Option<&[Value]>,
        limit: usize,
    ) -> anyhow::Result<Slice> {
        match self {
            Self::Sqlite(end) => end.slice(table, order, after, limit),
            Self::Postgres(end) => end.slice(table, order, after, limit).await,
        }
    }

    /// The highest number that the table's generated column was ever given; 0 before the first.
    pub(super) async fn highest_given(&mut self, table: &Table) -> anyhow::Result<i64> {
        match self {
            Self::Sqlite(end) => end.highest_given(table),
            Self::Postgres(end) => end.highest_given(table).await,
        }
    }

    /// How far a copy into this database is; `None` if none was begun.
    pub(super) async fn progress(&mut self) -> anyhow::Result<Option<Progress>> {
        match self {
            Self::Sqlite(end) => end.progress(),
            Self::Postgres(end) => end.progress().await,
        }
    }

    /// Begins a copy: removes the rows of an earlier one.
    pub(super) async fn begin(&mut self, progress: &Progress) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(end) => end.begin(progress),
            Self::Postgres(end) => end.begin(progress).await,
        }
    }

    /// Inserts rows and replaces the progress, in one commit.
    pub(super) async fn write(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(end) => end.write(table, rows, progress),
            Self::Postgres(end) => end.write(table, rows, progress).await,
        }
    }

    /// Lets servers open the database. `given` is the highest number that each generated column was given.
    pub(super) async fn finish(&mut self, given: &[(&Table, i64)]) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(end) => end.finish(given),
            Self::Postgres(end) => end.finish(given).await,
        }
    }
}
