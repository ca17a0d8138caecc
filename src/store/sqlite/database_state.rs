//! Recognises the database that an earlier process has left: a digest of what changes when the file is written, restored
//! from a copy, or replaced.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::database;
use crate::restart::Database;

/// Length of SQLite's file header, which has a random id of each start.
const HEADER: usize = 100;

/// The state of the database file in this folder, while no server has opened it. `None` if there is no database.
///
/// The header's random id tells the starts of one file apart, but a backup has it too. The file's inode, length and time
/// of its last change tell the file from its backups.
pub(super) fn database_state(folder: &Path) -> io::Result<Option<Database>> {
    let file = match File::open(database(folder)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    state_of(&file)
}

/// The same for an open file. `None` if it is empty.
pub(super) fn state_of(file: &File) -> io::Result<Option<Database>> {
    let mut header = [0; HEADER];
    match file.read_exact_at(&mut header, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let metadata = file.metadata()?;
    let mut digest = Sha256::new_with_prefix(header);
    for number in [metadata.ino(), metadata.len(), metadata.mtime() as u64, metadata.mtime_nsec() as u64] {
        digest.update(number.to_le_bytes());
    }
    Ok(Some(digest.finalize().into()))
}
