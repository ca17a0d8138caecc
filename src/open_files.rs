//! The limit on open files, which bounds the number of connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit (`ulimit -Sn`, often 1,024) to the hard limit (`ulimit -Hn`). Call it after logging has
/// started and before listening.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        // macOS refuses values above OPEN_MAX, even below its hard limit.
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

/// The current soft limit.
pub fn limit() -> usize {
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// The number of open files.
pub(crate) fn count() -> usize {
    std::fs::read_dir("/dev/fd").map_or(0, Iterator::count)
}
