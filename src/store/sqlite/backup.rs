//! `sockeye backup`: copies the database while the server runs.

use std::{fs::File, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{database, files};

/// Pause between attempts while the database is locked.
const BUSY: Duration = Duration::from_millis(50);

/// Copies the database in `folder` into a new file with SQLite's online backup API, while a server may be writing.
/// The copy is a consistent snapshot. An existing file is refused.
pub fn backup(folder: &Path, file: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(database(folder).exists(), "store.path: {} holds no database", folder.display());
    anyhow::ensure!(!file.exists(), "{} exists already", file.display());
    let from = files::open_reader(folder)?;
    // Mode 0600: the copy holds all messages.
    File::options().write(true).create_new(true).mode(0o600).open(file)?;
    let mut to = Connection::open(file)?;
    let backup = Backup::new(&from, &mut to)?;
    // All pages in one step: a commit between two steps would restart the copy. In WAL mode a long read blocks no
    // writer.
    while backup.step(-1)? != StepResult::Done {
        std::thread::sleep(BUSY);
    }
    drop(backup);
    // A single file without a WAL, which any SQLite tool can open.
    to.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}
