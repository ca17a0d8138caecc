//! How many files, and so how many connections, the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the process's own limit to the most that the system allows it (`ulimit -Hn`). Call it after logging has
/// started and before listening: shells and service managers begin with 1,024 for the sake of old programs.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        // macOS allows less than it says.
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

/// The limit as of now.
pub fn limit() -> usize {
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// How many are open.
pub(crate) fn count() -> usize {
    std::fs::read_dir("/dev/fd").map_or(0, Iterator::count)
}
