//! The folder of a test server's database, which is removed when the [`StoreFolder`] is dropped.

use std::path::{Path, PathBuf};

use uuid::Uuid;

/// The path of a folder in the system's temporary directory. Dropping this value removes the folder.
pub(super) struct StoreFolder(PathBuf);

impl StoreFolder {
    /// Chooses an unused path. The store creates the folder when it is opened.
    pub(super) fn new() -> Self {
        Self(std::env::temp_dir().join(format!("sockeye-test-{}", Uuid::new_v4())))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for StoreFolder {
    fn drop(&mut self) {
        // An error is ignored: if the server did not start, the folder may not exist.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
