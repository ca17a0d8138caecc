//! One server per folder, whatever happens to the folder.

use std::{
    fs::{DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

/// What keeps other servers out, for as long as it is there.
pub(super) struct Lock {
    _file: File,
    #[cfg(target_os = "linux")]
    _name: Option<named::Name>,
}

/// Makes the folder if it is missing, and takes it. `WouldBlock` where another server has it.
pub(super) fn take(folder: &Path) -> io::Result<Lock> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let file =
        File::options().create(true).truncate(false).write(true).mode(0o600).open(folder.join("sockeye.lock"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(Lock {
        _file: file,
        #[cfg(target_os = "linux")]
        _name: named::take(&folder.canonicalize()?)?,
    })
}

/// A lock on the path, beside the one on the file: who finds the folder empty, because it was removed under a server
/// that still runs, must not start. It is an abstract Unix socket, which is of this machine (of this network namespace)
/// and ends with the process.
#[cfg(target_os = "linux")]
mod named {
    use std::{
        io,
        os::{
            linux::net::SocketAddrExt,
            unix::{
                ffi::OsStrExt,
                net::{SocketAddr, UnixListener, UnixStream},
            },
        },
        path::Path,
    };

    use rustix::{net::sockopt::socket_peercred, process::geteuid};
    use sha2::{Digest, Sha256};

    pub(super) struct Name {
        _listener: UnixListener,
    }

    /// `None` where the system gives no such names; the lock on the file has to do then.
    pub(super) fn take(folder: &Path) -> io::Result<Option<Name>> {
        let digest = Sha256::digest(folder.as_os_str().as_bytes());
        let name = SocketAddr::from_abstract_name(format!("sockeye-{}", hex::encode(digest)))?;
        match UnixListener::bind_addr(&name) {
            Ok(listener) => Ok(Some(Name { _listener: listener })),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_ours(&name) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => {
                tracing::debug!(%error, "no lock on the path of the folder");
                Ok(None)
            }
        }
    }

    /// Whether a server of the same user has the name: others may take names too, and must not keep a server out.
    fn is_ours(name: &SocketAddr) -> bool {
        let holder = UnixStream::connect_addr(name).and_then(|stream| Ok(socket_peercred(&stream)?));
        holder.is_ok_and(|holder| holder.uid == geteuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_removed_and_made_again_is_still_taken() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        let first = take(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(take(&folder).err().unwrap().kind(), io::ErrorKind::WouldBlock);
        }
        drop(first);
        assert!(take(&folder).is_ok());
    }
}
