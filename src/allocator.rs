//! The system's memory allocator, as a server wants it.

/// Bytes from which on a piece of memory is the kernel's own mapping, and goes back to it as soon as it is freed.
/// glibc begins with as many, and raises it with each such piece that is freed, up to 32 MiB: what waited for a client
/// that did not read would stay with the process (`man 3 mallopt`).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED: i32 = 128 * 1024;

/// Bytes at the end of a heap that are kept for what comes next.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: i32 = 1024 * 1024;

/// Lets large pieces of memory go back to the system at once. To be called first in `main`; does nothing where the
/// allocator is another than glibc's.
pub fn tune() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no safe way to say it")]
    // SAFETY: `mallopt` takes numbers and sets numbers of the allocator, under the allocator's own lock.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// Gives the pages between pieces of memory that are in use back to the system, which `free` does only at the end of a
/// heap. Takes some milliseconds; does nothing where the allocator is another than glibc's.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no safe way to say it")]
    // SAFETY: `malloc_trim` touches only memory that is free, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
