//! The lock types of the modules that models check. They are parking_lot's. In the library's own tests they are locks
//! at which a model chooses the thread that runs next.

#[cfg(test)]
pub(crate) mod models;

#[cfg(not(test))]
pub(crate) use std::sync::atomic::AtomicBool;

#[cfg(not(test))]
pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[cfg(test)]
pub(crate) use self::models::{AtomicBool, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
