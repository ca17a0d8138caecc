//! Whether the database that is open is still the file at its path. SQLite goes on with a file that was removed or
//! moved, and what is written there is lost.

use std::{
    fmt,
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use parking_lot::Mutex;

use super::database;

/// Bytes of SQLite's header (<https://www.sqlite.org/fileformat.html#the_database_header>).
const HEADER: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The file that was opened.
pub(super) struct Original {
    database: PathBuf,
    log: PathBuf,
    /// Open for as long as SQLite has the database open, and closed after it: closing any descriptor of a file gives up
    /// the locks that this process has on it.
    file: File,
    id: FileId,
    /// Known once they were written.
    header: OnceLock<Marks>,
    /// The header's counters as last read.
    age: Mutex<Age>,
    log_id: OnceLock<FileId>,
}

/// How the database was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    path: PathBuf,
    how: &'static str,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lost its database: {} was {} while the server ran", self.path.display(), self.how)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

/// What does not change in the header while a server runs: page size, versions of the format, of the schema, and the
/// id that this server has put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marks([u8; 12]);

/// What never becomes less in the header, whoever writes through SQLite: of an older copy some of it is less.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Age {
    schema: u32,
    changes: u32,
    pages: u32,
}

impl Age {
    /// The number of changes does not rise with each of them. Pages become less only where it does.
    fn is_behind(self, other: Self) -> bool {
        self.schema < other.schema || (self.changes, self.pages) < (other.changes, other.pages)
    }
}

impl Original {
    /// Opens the file, for its owner alone where it has to be made.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let database = std::path::absolute(database(folder))?;
        let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&database)?;
        let metadata = file.metadata()?;
        let log = PathBuf::from(format!("{}-wal", database.display()));
        let id = FileId { device: metadata.dev(), inode: metadata.ino() };
        Ok(Self { database, log, file, id, header: OnceLock::new(), age: Mutex::default(), log_id: OnceLock::new() })
    }

    /// From now on this is how the files look: the database has all that was written so far, and its log is there.
    pub(super) fn remember(&self) {
        if let Ok(Some((marks, _))) = self.read() {
            self.header.get_or_init(|| marks);
        }
        if let Ok(Some((id, _))) = find(&self.log) {
            self.log_id.get_or_init(|| id);
        }
    }

    /// Looks at what stands at the path now. Returns the bytes of the log.
    pub(super) fn check(&self) -> io::Result<Result<u64, Lost>> {
        let lost = |path: &Path, how| Ok(Err(Lost { path: path.to_owned(), how }));
        match find(&self.database)? {
            None => return lost(&self.database, "removed or moved"),
            Some((id, _)) if id != self.id => return lost(&self.database, "replaced by another file"),
            Some(_) => {}
        }
        if let Some(header) = self.header.get()
            && !self.is_as_known(header)?
        {
            return lost(&self.database, "overwritten");
        }
        let log = find(&self.log)?;
        match (self.log_id.get(), log) {
            (Some(_), None) => lost(&self.log, "removed or moved"),
            (Some(known), Some((id, _))) if id != *known => lost(&self.log, "replaced by another file"),
            _ => Ok(Ok(log.map_or(0, |(_, bytes)| bytes))),
        }
    }

    /// Sees to it that the log is not taken for that of the file which stands there now: the next start would write
    /// it into that.
    pub(super) fn set_log_aside(&self) -> io::Result<Option<PathBuf>> {
        let is_ours = matches!((self.log_id.get(), find(&self.log)?), (Some(known), Some((id, _))) if id == *known);
        if !is_ours || find(&self.database)?.is_none() {
            return Ok(None);
        }
        let aside = PathBuf::from(format!("{}-of-lost-database", self.log.display()));
        std::fs::rename(&self.log, &aside)?;
        Ok(Some(aside))
    }

    fn is_as_known(&self, header: &Marks) -> io::Result<bool> {
        // Held while the file is read: what another thread has seen since is no older.
        let mut known = self.age.lock();
        let mut is_same = || -> io::Result<bool> {
            let Some((marks, age)) = self.read()? else { return Ok(false) };
            let is_same = marks == *header && !age.is_behind(*known);
            // What is remembered was read twice: somebody may be writing it at this moment.
            if is_same && age != *known && self.read()? == Some((marks, age)) {
                *known = age;
            }
            Ok(is_same)
        };
        Ok(is_same()? || is_same()?)
    }

    /// The header; `None` where the file is no database, or shorter than a header.
    fn read(&self) -> io::Result<Option<(Marks, Age)>> {
        let mut header = [0; HEADER];
        match self.file.read_exact_at(&mut header, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        if !header.starts_with(MAGIC) {
            return Ok(None);
        }
        let mut marks = [0; 12];
        marks[..4].copy_from_slice(&header[16..20]);
        marks[4..8].copy_from_slice(&header[60..64]);
        marks[8..].copy_from_slice(&header[68..72]);
        let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        Ok(Some((Marks(marks), Age { schema: number(40), changes: number(24), pages: number(28) })))
    }
}

fn find(path: &Path) -> io::Result<Option<(FileId, u64)>> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some((FileId { device: found.dev(), inode: found.ino() }, found.len()))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}
