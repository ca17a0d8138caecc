//! What SQLite's writing thread does: it writes each group in one transaction, and watches over the file.

use std::time::Duration;

use rusqlite::config::DbConfig;

use super::{
    checkpoints::CheckpointRequests, file_identity::LostDatabase, files::OpenDatabase, tables::SqliteTables,
    vacuum::Vacuum, wal::Wal, word_index::WordIndex,
};
use crate::{
    metrics::Metrics,
    store::{
        inbox::NextGroup,
        writer::{self, CommandPanicked, Group, WriteFailure, WritingThread},
    },
};

/// How often the thread checks that its files still exist while it is idle.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Takes the queued commands, writes them in one transaction, and hands them to the publisher.
pub(super) fn write(
    opened: &OpenDatabase,
    words: Option<WordIndex>,
    checkpoints: &CheckpointRequests,
    thread: &WritingThread,
    metrics: &Metrics,
) -> Result<(), String> {
    let mut tables = SqliteTables::new(&opened.db, metrics).with_words(words);
    let mut wal = Wal::new(opened);
    let mut vacuum = Vacuum::new(opened);
    let mut lost = None;
    while lost.is_none() {
        let group = match thread.next_group(vacuum.wait(FILE_CHECK_INTERVAL)) {
            NextGroup::Tasks(group) => group,
            NextGroup::Timeout => {
                vacuum.step();
                lost = check(opened, |bytes| wal.while_idle(bytes)).err();
                continue;
            }
            NextGroup::Closed => return Ok(()),
        };
        thread.write(group, |group| {
            // Checked after each commit: a write into a removed file must not be acknowledged.
            let result = write_group(&mut tables, group).and_then(|()| {
                check(opened, |bytes| wal.after_commit(bytes)).map_err(|gone| {
                    let error = anyhow::anyhow!("the store {gone}");
                    lost = Some(gone);
                    error
                })
            });
            let Err(error) = result else { return Ok(()) };
            tables.clear_cache();
            if let Err(error) = opened.db.execute_batch("ROLLBACK") {
                tracing::debug!(%error, "nothing to roll back");
            }
            Err(match error.is::<CommandPanicked>() {
                true => WriteFailure::Refused(error),
                false => WriteFailure::Failed(error.into()),
            })
        })?;
        if tables.take_has_removed() {
            checkpoints.request();
        }
        // After the callbacks of the commit have begun: nothing waits for it but the next group.
        vacuum.step();
    }
    lost.map_or(Ok(()), |lost| Err(give_up(opened, &lost)))
}

/// Checks that the files still exist, and reports the size of the write-ahead log.
fn check(opened: &OpenDatabase, wal: impl FnOnce(u64)) -> Result<(), LostDatabase> {
    match opened.original.check() {
        Ok(Ok(bytes)) => wal(bytes),
        Ok(Err(lost)) => return Err(lost),
        // The files may still exist. `/ready` checks them too, and fails with this error.
        Err(error) => tracing::debug!(%error, "the database file cannot be checked"),
    }
    Ok(())
}

/// Prepares the close of a database whose file was removed or replaced. There may be a new file at the same path:
/// SQLite must not write the old database's log into it. Returns the reason why the server must end.
fn give_up(opened: &OpenDatabase, lost: &LostDatabase) -> String {
    if let Err(error) = opened.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::error!(%error, "SQLite may still write the log of the lost database into the new file at its path");
    }
    match opened.original.set_wal_aside() {
        Ok(None) => {}
        Ok(Some(aside)) => tracing::warn!(file = %aside.display(), "the log of the lost database was set aside"),
        Err(error) => {
            tracing::error!(%error, "the log of the lost database could not be moved away from the new file at its path")
        }
    }
    lost.to_string()
}

fn write_group(tables: &mut SqliteTables, group: &mut Group) -> anyhow::Result<()> {
    tables.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    writer::run(group, tables)?;
    tables.write_rooms()?;
    tables.write_words()?;
    tables.db.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}
