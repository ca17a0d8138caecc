use std::path::Path;

use rusqlite::{Connection, backup::Backup};

use super::{database, files};

/// Pages copied between two looks at the clock; the server goes on meanwhile.
const PAGES: i32 = 1_000;

/// Copies the folder's database into a new file by SQLite's online backup, while a server may be writing.
/// The copy is the database as of one moment. An existing file is refused.
pub fn backup(folder: &Path, file: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(database(folder).exists(), "store.path: {} holds no database", folder.display());
    anyhow::ensure!(!file.exists(), "{} exists already", file.display());
    let from = files::open_reader(folder)?;
    let mut to = Connection::open(file)?;
    Backup::new(&from, &mut to)?.run_to_completion(PAGES, std::time::Duration::ZERO, None)?;
    // A file that anyone can open, without a log beside it.
    to.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}
