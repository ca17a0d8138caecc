//! The lock that allows one server per folder, even if the folder is removed and created again.

use std::{
    fs::{DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

/// The lock; released on drop.
pub(crate) struct FolderLock {
    _file: File,
    #[cfg(target_os = "linux")]
    _path_locks: Vec<std::os::unix::net::UnixListener>,
}

/// Creates the folder if it is missing, and locks it. `WouldBlock` if another server has the lock.
pub(crate) fn lock_folder(folder: &Path) -> io::Result<FolderLock> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let file =
        File::options().create(true).truncate(false).write(true).mode(0o600).open(folder.join("sockeye.lock"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(FolderLock {
        _file: file,
        #[cfg(target_os = "linux")]
        _path_locks: path::lock(&folder.canonicalize()?)?,
    })
}

/// Whether another server has the lock now.
pub(crate) fn is_locked(folder: &Path) -> bool {
    lock_folder(folder).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Locks the folder's path, in addition to the lock file. Without this lock, a second server could start after the
/// folder was removed under a running server: it would create a new folder and find no lock. The locks are abstract
/// Unix sockets: they belong to the network namespace and end with the process.
#[cfg(target_os = "linux")]
mod path {
    use std::{
        fs, io,
        os::{
            linux::net::SocketAddrExt,
            unix::{
                ffi::OsStrExt,
                fs::MetadataExt,
                net::{SocketAddr, UnixListener, UnixStream},
            },
        },
        path::Path,
    };

    use rustix::{net::sockopt::socket_peercred, process::geteuid};
    use sha2::{Digest, Sha256};

    /// Returns fewer locks if the system has no abstract sockets. Then the lock on the file must suffice.
    pub(super) fn lock(folder: &Path) -> io::Result<Vec<UnixListener>> {
        let mut listeners = Vec::new();
        for name in names(folder) {
            let name = SocketAddr::from_abstract_name(format!("sockeye-{}", hex::encode(name.finalize())))?;
            match UnixListener::bind_addr(&name) {
                Ok(listener) => listeners.push(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_ours(&name) => {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Err(error) => tracing::debug!(%error, "cannot lock the path of the folder"),
            }
        }
        Ok(listeners)
    }

    /// Two lock names for the folder. The first is the parent folder's inode and the folder's name: it is the same for
    /// every path to the folder. The second is the full path: it stays the same if the parent folder is removed too.
    /// The second includes the mount namespace, because two containers can have the same path for different folders.
    fn names(folder: &Path) -> impl Iterator<Item = Sha256> {
        let path = folder.as_os_str().as_bytes();
        let above = folder.parent().and_then(|above| above.metadata().ok());
        let above = above.map(|above| {
            let name = folder.file_name().unwrap_or_default().as_bytes();
            Sha256::new_with_prefix(format!("{} {} ", above.dev(), above.ino())).chain_update(name)
        });
        let container = fs::read_link("/proc/self/ns/mnt").ok();
        let whole =
            container.map(|container| Sha256::new_with_prefix(container.as_os_str().as_bytes()).chain_update(path));
        above.into_iter().chain(whole)
    }

    /// Whether a process of the same user holds the lock. A process of another user must not keep the server from
    /// starting.
    fn is_ours(name: &SocketAddr) -> bool {
        let holder = UnixStream::connect_addr(name).and_then(|stream| Ok(socket_peercred(&stream)?));
        holder.is_ok_and(|holder| holder.uid == geteuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_and_recreated_folder_is_still_locked() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("server/data");
        for removed in [folder.as_path(), folder.parent().unwrap()] {
            let first = lock_folder(&folder).unwrap();
            std::fs::remove_dir_all(removed).unwrap();
            if cfg!(target_os = "linux") {
                assert_eq!(lock_folder(&folder).err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
            }
            drop(first);
            assert!(lock_folder(&folder).is_ok());
        }
    }
}
