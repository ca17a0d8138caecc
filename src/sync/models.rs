//! The support of models: locks at which shuttle chooses the thread that runs next, and the loop that runs a model.
//!
//! A lock that is created outside of a model behaves as parking_lot's.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use shuttle::{
    Config, Runner,
    current::{TaskId, try_get_current_task},
    scheduler::{PctScheduler, RandomScheduler},
    sync as modelled,
};

/// The environment variable with the seconds that each model runs, instead of a fixed number of runs. The first seed is
/// then random.
const SECONDS: &str = "SOAK_SECONDS";
/// Bytes of a modelled thread's stack.
const STACK: usize = 256 * 1024;
/// The number of preemptions in each run of the PCT scheduler (its depth).
const PREEMPTIONS: usize = 3;

/// Runs a model this many times with threads chosen at random, and as often with a few preemptions at random places.
/// The choices differ between the runs, but are the same in every call.
pub(crate) fn check(runs: usize, model: impl Fn() + Send + Sync + 'static) {
    let model = Arc::new(model);
    let mut config = Config::new();
    (config.stack_size, config.silence_warnings) = (STACK, true);
    let seconds = std::env::var(SECONDS).ok().map(|seconds| seconds.parse().expect("SOAK_SECONDS is a number"));
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let first: u64 = if until.is_some() { rand::random() } else { 1 };
    let (mut seed, mut done) = (first, 0);
    loop {
        let run = model.clone();
        let random = RandomScheduler::new_from_seed(seed, runs);
        done += Runner::new(random, config.clone()).run(move || run());
        let run = model.clone();
        let preempting = PctScheduler::new_from_seed(seed, PREEMPTIONS, runs);
        done += Runner::new(preempting, config.clone()).run(move || run());
        if until.is_none_or(|until| until <= Instant::now()) {
            break;
        }
        seed = seed.wrapping_add(1);
    }
    println!("{done} runs, from seed {first} on");
}

/// Whether the caller is a thread of a model.
fn is_modelled() -> bool {
    try_get_current_task().is_some()
}

/// A mutex without poisoning.
pub(crate) struct Mutex<T> {
    model: Option<modelled::Mutex<()>>,
    value: parking_lot::Mutex<T>,
}

/// The order of the fields matters: the value is unlocked before the model's lock, at which another thread may run.
pub(crate) struct MutexGuard<'a, T> {
    value: parking_lot::MutexGuard<'a, T>,
    _model: Option<modelled::MutexGuard<'a, ()>>,
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        let model = is_modelled().then(|| modelled::Mutex::new(()));
        Self { model, value: parking_lot::Mutex::new(value) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let model = self.model.as_ref().filter(|_| is_modelled());
        let model = model.map(|model| model.lock().unwrap_or_else(PoisonError::into_inner));
        MutexGuard { value: self.value.lock(), _model: model }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// A lock for readers and writers, without poisoning.
pub(crate) struct RwLock<T> {
    model: Option<modelled::RwLock<()>>,
    /// The threads that read.
    readers: parking_lot::Mutex<Vec<TaskId>>,
    value: parking_lot::RwLock<T>,
}

pub(crate) struct RwLockReadGuard<'a, T> {
    value: parking_lot::RwLockReadGuard<'a, T>,
    _reader: Option<Reader<'a>>,
    _model: Option<modelled::RwLockReadGuard<'a, ()>>,
}

pub(crate) struct RwLockWriteGuard<'a, T> {
    value: parking_lot::RwLockWriteGuard<'a, T>,
    _model: Option<modelled::RwLockWriteGuard<'a, ()>>,
}

/// A thread that reads.
struct Reader<'a> {
    thread: TaskId,
    readers: &'a parking_lot::Mutex<Vec<TaskId>>,
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self {
            model: is_modelled().then(|| modelled::RwLock::new(())),
            readers: parking_lot::Mutex::default(),
            value: parking_lot::RwLock::default(),
        }
    }
}

impl<T> RwLock<T> {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        let model = self.model.as_ref().filter(|_| is_modelled());
        let reader = model.and_then(|_| try_get_current_task()).map(|thread| {
            let mut readers = self.readers.lock();
            assert!(!readers.contains(&thread), "deadlock: reads twice, and a writer may come in between");
            readers.push(thread);
            Reader { thread, readers: &self.readers }
        });
        let model = model.map(|model| model.read().unwrap_or_else(PoisonError::into_inner));
        RwLockReadGuard { value: self.value.read(), _reader: reader, _model: model }
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        let model = self.model.as_ref().filter(|_| is_modelled());
        let model = model.map(|model| model.write().unwrap_or_else(PoisonError::into_inner));
        RwLockWriteGuard { value: self.value.write(), _model: model }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.readers.lock().retain(|reader| *reader != self.thread);
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// An atomic flag. In a model every access is `SeqCst`, whatever the order given.
pub(crate) struct AtomicBool {
    model: Option<modelled::atomic::AtomicBool>,
    value: std::sync::atomic::AtomicBool,
}

impl AtomicBool {
    pub(crate) fn new(value: bool) -> Self {
        let model = is_modelled().then(|| modelled::atomic::AtomicBool::new(value));
        Self { model, value: std::sync::atomic::AtomicBool::new(value) }
    }

    pub(crate) fn load(&self, order: Ordering) -> bool {
        match self.model.as_ref().filter(|_| is_modelled()) {
            Some(model) => model.load(Ordering::SeqCst),
            None => self.value.load(order),
        }
    }

    pub(crate) fn store(&self, value: bool, order: Ordering) {
        if let Some(model) = self.model.as_ref().filter(|_| is_modelled()) {
            model.store(value, Ordering::SeqCst);
        }
        self.value.store(value, order);
    }
}
