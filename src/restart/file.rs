//! The file of a handover, `sockeye.sockets`. It holds secrets of clients and events, so only its owner may read it.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{
    format,
    handover::{Database, Handover},
};

/// Maximal bytes of a file that is read.
pub(crate) const BYTES_MAX: u64 = 1 << 30;

/// What the folder has from the process before.
pub(crate) enum Found {
    Nothing,
    /// A file that cannot be used, for this reason.
    Ignored(String),
    Handover(Box<Handover>),
}

/// Writes the file: first under another name, so that the file is whole or not there. Returns its length. `go_on` is
/// asked before the file gets its name.
pub(crate) fn write(folder: &Path, handover: &Handover, go_on: impl FnOnce() -> bool) -> io::Result<usize> {
    let bytes = format::encode(handover);
    let written = write_new(folder, &bytes).and_then(|()| {
        if !go_on() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        fs::rename(new(folder), path(folder))?;
        sync(folder)
    });
    if written.is_err() {
        // The error of the write is reported. The file may not exist, and the next start removes it anyway. Also under its
        // last name: the process ends the sockets, so the next one must not take them up.
        drop(fs::remove_file(new(folder)));
        drop(fs::remove_file(path(folder)));
    }
    written.map(|()| bytes.len())
}

fn write_new(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    remove_if_there(&new(folder))?;
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(new(folder))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads the file and removes it. It is removed before it is used: two processes that go on with the same offsets would
/// give one number to two events. It must be of this database.
pub(crate) fn take(folder: &Path, database: Option<Database>) -> Found {
    let bytes = match read(folder) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Found::Nothing,
        Err(error) => {
            // Not used, so it may stay if it cannot be removed either.
            drop(remove(folder));
            return Found::Ignored(format!("it cannot be read: {error}"));
        }
    };
    if let Err(error) = remove(folder) {
        return Found::Ignored(format!("it cannot be removed: {error}"));
    }
    match format::decode(&bytes) {
        Ok(handover) if handover.database != database => Found::Ignored("it is of another database".to_owned()),
        Ok(handover) => Found::Handover(Box::new(handover)),
        Err(reason) => Found::Ignored(reason),
    }
}

/// Removes the file, if there is one, and what a process has left that was killed while it wrote.
fn remove(folder: &Path) -> io::Result<()> {
    let is_removed = [remove_if_there(&new(folder))?, remove_if_there(&path(folder))?].contains(&true);
    if is_removed { sync(folder) } else { Ok(()) }
}

fn read(folder: &Path) -> io::Result<Option<Vec<u8>>> {
    // The open must neither follow a link nor wait for the other end of a pipe.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match File::options().read(true).custom_flags(flags).open(path(folder)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if metadata.len() > BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn remove_if_there(file: &Path) -> io::Result<bool> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the names in the folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn path(folder: &Path) -> PathBuf {
    folder.join("sockeye.sockets")
}

fn new(folder: &Path) -> PathBuf {
    folder.join("sockeye.sockets.new")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{super::format::tests::example, *};

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    fn reason(found: Found) -> String {
        match found {
            Found::Ignored(reason) => reason,
            Found::Nothing => "nothing".to_owned(),
            Found::Handover(_) => "taken".to_owned(),
        }
    }

    #[test]
    fn only_the_owner_can_read_it_and_it_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let database = example().database;
        fs::write(new(folder.path()), "of a process that was killed").unwrap();
        let length = write(folder.path(), &example(), || true).unwrap();
        let metadata = path(folder.path()).metadata().unwrap();
        assert_eq!((metadata.permissions().mode() & 0o777, metadata.len()), (0o600, length as u64));
        assert!(matches!(take(folder.path(), database), Found::Handover(taken) if *taken == example()));
        assert_eq!(files(folder.path()), 0);
        assert_eq!(reason(take(folder.path(), database)), "nothing");
    }

    #[test]
    fn one_of_another_database_or_that_is_torn_is_ignored_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        for database in [None, Some([8; 32])] {
            write(folder.path(), &example(), || true).unwrap();
            assert_eq!(reason(take(folder.path(), database)), "it is of another database");
            assert_eq!(files(folder.path()), 0);
        }
        let length = write(folder.path(), &example(), || true).unwrap() as u64;
        for torn in [0, 10, 18, 40, length / 2, length - 1] {
            write(folder.path(), &example(), || true).unwrap();
            File::options().write(true).open(path(folder.path())).unwrap().set_len(torn).unwrap();
            assert_ne!(reason(take(folder.path(), example().database)), "taken", "{torn}");
            assert_eq!(files(folder.path()), 0);
        }
    }

    #[test]
    fn what_is_no_file_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/zero", path(folder.path())).unwrap();
        assert!(reason(take(folder.path(), None)).starts_with("it cannot be read"));
        fs::create_dir(path(folder.path())).unwrap();
        assert_eq!(reason(take(folder.path(), None)), "it cannot be read: it is no file");
    }

    #[test]
    fn a_write_that_fails_or_comes_too_late_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(&folder.path().join("missing"), &example(), || true).is_err());
        let error = write(folder.path(), &example(), || false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(files(folder.path()), 0);
    }
}
