//! Tunes glibc's memory allocator for a server.

/// Allocations of at least this many bytes get a mapping of their own (`M_MMAP_THRESHOLD`), which returns to the OS
/// when it is freed. glibc starts with the same value, but raises it, up to 32 MiB, whenever such an allocation is freed.
/// The buffers of slow clients would then stay with the process (`man 3 mallopt`).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED: i32 = 128 * 1024;

/// Free bytes at the end of the heap that the process keeps (`M_TRIM_THRESHOLD`).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: i32 = 1024 * 1024;

/// Makes freed large allocations return to the OS. Must be called first in `main`. Does nothing without glibc.
pub fn tune() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no safe way to say it")]
    // SAFETY: `mallopt` only sets parameters of the allocator, under the allocator's own lock.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// Returns free pages inside the heap to the OS (`malloc_trim`); `free` does that only at the end of the heap. Takes
/// some milliseconds. Does nothing without glibc.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no safe way to say it")]
    // SAFETY: `malloc_trim` touches only memory that is free, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
