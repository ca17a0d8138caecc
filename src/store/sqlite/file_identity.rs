//! Detects that the open database is no longer the file at its path. SQLite goes on writing to a file that was
//! removed or moved, and those writes would be lost.

use std::{
    fmt,
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use parking_lot::Mutex;

use super::database;

/// Length of SQLite's file header (<https://www.sqlite.org/fileformat.html#the_database_header>).
const HEADER: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The database file as it was when the server opened it.
pub(super) struct OriginalFile {
    database: PathBuf,
    /// Path of the WAL.
    log: PathBuf,
    /// Must be closed after SQLite's connections: closing any descriptor of a file releases all POSIX locks that this
    /// process holds on it.
    file: File,
    id: FileId,
    /// Set once the first checkpoint has written the header.
    header: OnceLock<FixedFields>,
    /// The header's counters, as last read.
    counters: Mutex<Counters>,
    /// The fewest pages to which [`Self::may_shrink_to`] has allowed the file to shrink.
    fewest_pages: AtomicU32,
    /// Set once the WAL exists.
    log_id: OnceLock<FileId>,
}

/// Why the database counts as lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LostDatabase {
    path: PathBuf,
    how: &'static str,
}

impl fmt::Display for LostDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lost its database: {} was {} while the server ran", self.path.display(), self.how)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

/// Header fields that do not change while a server runs: page size, format versions, schema version, and the random
/// `application_id` of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FixedFields([u8; 12]);

/// Header counters that show whether the file was replaced by an older copy: the copy has at least one lower counter.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counters {
    schema: u32,
    changes: u32,
    pages: u32,
}

impl Counters {
    /// Whether these counters are of an older state than `other`. `changes` is not incremented by every commit, so the
    /// page count is compared too. A lower page count is normal only together with a higher `changes`, or if the server
    /// itself has shortened the file, to `fewest_pages` at the least.
    fn is_behind(self, other: Self, fewest_pages: u32) -> bool {
        let least = (other.changes, other.pages.min(fewest_pages));
        self.schema < other.schema || (self.changes, self.pages) < least
    }
}

impl OriginalFile {
    /// Opens the file; creates it with mode 0600 if it is missing.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let database = std::path::absolute(database(folder))?;
        let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&database)?;
        let metadata = file.metadata()?;
        let log = PathBuf::from(format!("{}-wal", database.display()));
        let id = FileId { device: metadata.dev(), inode: metadata.ino() };
        Ok(Self {
            database,
            log,
            file,
            id,
            header: OnceLock::new(),
            counters: Mutex::default(),
            fewest_pages: AtomicU32::new(u32::MAX),
            log_id: OnceLock::new(),
        })
    }

    /// Records the header and the WAL's inode, for the comparison in [`Self::check`]. Called after a checkpoint, when
    /// both files are complete.
    pub(super) fn record(&self) {
        if let Ok(Some((fixed, _))) = self.read() {
            self.header.get_or_init(|| fixed);
        }
        if let Ok(Some((id, _))) = find(&self.log) {
            self.log_id.get_or_init(|| id);
        }
    }

    /// The file, for those who only must not close it before their connection.
    pub(super) fn into_file(self) -> File {
        self.file
    }

    /// Called before pages of removed rows are given back: from now on the file may have so few pages.
    pub(super) fn may_shrink_to(&self, pages: u64) {
        self.fewest_pages.fetch_min(u32::try_from(pages).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Checks the files at the path. Returns the size of the WAL in bytes.
    pub(super) fn check(&self) -> io::Result<Result<u64, LostDatabase>> {
        let lost = |path: &Path, how| Ok(Err(LostDatabase { path: path.to_owned(), how }));
        match find(&self.database)? {
            None => return lost(&self.database, "removed or moved"),
            Some((id, _)) if id != self.id => return lost(&self.database, "replaced by another file"),
            Some(_) => {}
        }
        if let Some(header) = self.header.get()
            && !self.is_unchanged(header)?
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

    /// Renames the WAL, so that SQLite does not apply it to the new database at the path on the next start.
    pub(super) fn set_wal_aside(&self) -> io::Result<Option<PathBuf>> {
        let is_ours = matches!((self.log_id.get(), find(&self.log)?), (Some(known), Some((id, _))) if id == *known);
        if !is_ours || find(&self.database)?.is_none() {
            return Ok(None);
        }
        let aside = PathBuf::from(format!("{}-of-lost-database", self.log.display()));
        std::fs::rename(&self.log, &aside)?;
        Ok(Some(aside))
    }

    fn is_unchanged(&self, header: &FixedFields) -> io::Result<bool> {
        // The lock is held while the file is read. Otherwise another thread could store newer counters meanwhile, and
        // this read would look like an older copy.
        let mut last_read = self.counters.lock();
        let fewest_pages = self.fewest_pages.load(Ordering::Relaxed);
        let mut is_same = || -> io::Result<bool> {
            let Some((fixed, counters)) = self.read()? else { return Ok(false) };
            let is_same = fixed == *header && !counters.is_behind(*last_read, fewest_pages);
            // Counters are stored only after two equal reads: a single read may see a write in progress.
            if is_same && counters != *last_read && self.read()? == Some((fixed, counters)) {
                *last_read = counters;
            }
            Ok(is_same)
        };
        Ok(is_same()? || is_same()?)
    }

    /// Reads the header; `None` if the file is shorter than a header or is no SQLite database.
    fn read(&self) -> io::Result<Option<(FixedFields, Counters)>> {
        let mut header = [0; HEADER];
        match self.file.read_exact_at(&mut header, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        if !header.starts_with(MAGIC) {
            return Ok(None);
        }
        let mut fixed = [0; 12];
        fixed[..4].copy_from_slice(&header[16..20]);
        fixed[4..8].copy_from_slice(&header[60..64]);
        fixed[8..].copy_from_slice(&header[68..72]);
        let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        Ok(Some((FixedFields(fixed), Counters { schema: number(40), changes: number(24), pages: number(28) })))
    }
}

fn find(path: &Path) -> io::Result<Option<(FileId, u64)>> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some((FileId { device: found.dev(), inode: found.ino() }, found.len()))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}
