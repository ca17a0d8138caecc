//! `sockeye copy-store`: copies everything that is kept into another database, of the same engine or of the other.
//!
//! Rows are copied table by table, in slices. Each slice is one commit of the destination, together with how far the
//! copy is, so that a copy that was stopped goes on there. Servers refuse the destination until both databases have
//! been read again and compared.

mod digests;
mod end;
pub(super) mod rows;

use anyhow::{Context, ensure};
use serde::Serialize;

use self::{
    digests::Contents,
    end::End,
    rows::{NOT_EMPTY, Progress, TABLES},
};
use super::{postgres::PostgresEnd, sqlite::SqliteEnd};
use crate::config::StoreConfig;

/// Rows of one slice.
const SLICE_ROWS: usize = 500;

/// What a copy reports.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CopyStep {
    /// So many rows are to be copied; `done` of them were copied before.
    Copying { rows: u64, done: u64 },
    /// So many more rows were copied.
    Copied(u64),
    /// So many rows are to be read for the comparison.
    Comparing { rows: u64 },
    /// So many more rows were read for it.
    Compared(u64),
}

type Report<'a> = dyn FnMut(CopyStep) -> anyhow::Result<()> + 'a;

/// What was copied.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Copied {
    pub(crate) rows: u64,
    pub(crate) rooms: usize,
}

/// Copies `from` into `to`, which must be empty, or hold a part of the same copy. No server may use either of them.
/// `from.path` may also be the file of a backup. `report` is called after each step; an error of it stops the copy, which
/// the next call continues.
pub(crate) async fn copy(
    from: &StoreConfig,
    to: &StoreConfig,
    mut report: impl FnMut(CopyStep) -> anyhow::Result<()>,
) -> anyhow::Result<Copied> {
    copy_in_slices(from, to, SLICE_ROWS, &mut report).await
}

async fn copy_in_slices(
    from: &StoreConfig,
    to: &StoreConfig,
    slice_rows: usize,
    report: &mut Report<'_>,
) -> anyhow::Result<Copied> {
    ensure!(!is_same(from, to), "the destination is the source");
    let mut source = open(from, Side::Source).await.context("the source cannot be opened")?;
    ensure!(source.progress().await?.is_none(), "the source holds a part of a copy");
    let mut destination = open(to, Side::Destination).await.context("the destination cannot be opened")?;
    let state = source.state().await?;
    let progress = begin(&mut destination, state.clone()).await?;
    copy_rows(&mut source, &mut destination, progress, slice_rows, report).await?;
    report(CopyStep::Comparing { rows: 2 * row_count(&mut source).await? })?;
    let original = Contents::of(&mut source, slice_rows, report).await?;
    let copied = Copied { rows: original.row_count(), rooms: original.room_count() };
    ensure!(source.state().await? == state, "the source was written to by another program: copy again");
    let copy = Contents::of(&mut destination, slice_rows, report).await?;
    original.compare(copy).context("the copy is wrong, and servers refuse it: remove it, then copy again")?;
    let mut given = Vec::new();
    for table in TABLES.iter().filter(|table| table.generated.is_some()) {
        given.push((table, source.highest_given(table).await?));
    }
    destination.finish(&given).await?;
    Ok(copied)
}

enum Side {
    Source,
    Destination,
}

async fn open(config: &StoreConfig, side: Side) -> anyhow::Result<End> {
    Ok(match (config.url.is_empty(), side) {
        (true, Side::Source) => End::Sqlite(SqliteEnd::source(config)?),
        (true, Side::Destination) => End::Sqlite(SqliteEnd::destination(config)?),
        (false, Side::Source) => End::Postgres(PostgresEnd::source(config).await?),
        (false, Side::Destination) => End::Postgres(PostgresEnd::destination(config).await?),
    })
}

fn is_same(one: &StoreConfig, other: &StoreConfig) -> bool {
    if one.url.is_empty() && other.url.is_empty() {
        let folders = [&one.path, &other.path].map(|path| path.canonicalize().unwrap_or_else(|_| path.clone()));
        return folders[0] == folders[1];
    }
    one.url == other.url && one.schema == other.schema
}

/// How far the copy is. It is begun anew if the source has changed since.
async fn begin(destination: &mut End, source: String) -> anyhow::Result<Progress> {
    match destination.progress().await? {
        Some(progress) if progress.source == source => return Ok(progress),
        Some(_) => {}
        None => ensure!(row_count(destination).await? == 0, NOT_EMPTY),
    }
    let progress = Progress { source, table: 0, after: None, done: 0 };
    destination.begin(&progress).await?;
    Ok(progress)
}

async fn row_count(end: &mut End) -> anyhow::Result<u64> {
    let mut rows = 0;
    for table in TABLES {
        rows += end.count(table).await?;
    }
    Ok(rows)
}

async fn copy_rows(
    source: &mut End,
    destination: &mut End,
    mut progress: Progress,
    slice_rows: usize,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    report(CopyStep::Copying { rows: row_count(source).await?, done: progress.done })?;
    while let Some(table) = TABLES.get(progress.table) {
        let failed = || format!("the table {} cannot be copied", table.name);
        let order = source.order(table);
        let slice = source.slice(table, order, progress.after.as_deref(), slice_rows).await.with_context(failed)?;
        let count = slice.rows.len();
        progress.done += count as u64;
        progress.after = slice.last;
        if count < slice_rows {
            progress.table += 1;
            progress.after = None;
        }
        destination.write(table, slice.rows, &progress).await.with_context(failed)?;
        report(CopyStep::Copied(count as u64))?;
    }
    Ok(())
}

/// The same as [`copy`] in slices of a few rows, with the whole of an error in one line.
#[cfg(test)]
pub(super) async fn copy_in_small_slices(
    from: &StoreConfig,
    to: &StoreConfig,
    mut report: impl FnMut(CopyStep) -> anyhow::Result<()>,
) -> Result<Copied, String> {
    copy_in_slices(from, to, 7, &mut report).await.map_err(|error| format!("{error:#}"))
}
