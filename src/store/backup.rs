//! `sockeye backup`: a copy of the database while the server runs.

use std::{fs::File, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{database, files};

/// How long to wait where the database is locked.
const BUSY: Duration = Duration::from_millis(50);

/// Copies the folder's database into a new file by SQLite's online backup, while a server may be writing.
/// The copy is the database as of one moment. An existing file is refused.
pub fn backup(folder: &Path, file: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(database(folder).exists(), "store.path: {} holds no database", folder.display());
    anyhow::ensure!(!file.exists(), "{} exists already", file.display());
    let from = files::open_reader(folder)?;
    // Whoever may read it may read all messages.
    File::options().write(true).create_new(true).mode(0o600).open(file)?;
    let mut to = Connection::open(file)?;
    let backup = Backup::new(&from, &mut to)?;
    // All pages in one step: between two steps a commit would begin it anew, and with a log beside the database
    // one long read is in nobody's way.
    while backup.step(-1)? != StepResult::Done {
        std::thread::sleep(BUSY);
    }
    drop(backup);
    // A file that anyone can open, without a log beside it.
    to.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}
