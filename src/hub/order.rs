//! The order of a hub's events: a lock, and the run of events that is held back under it.

use std::sync::atomic::Ordering;

use crate::sync::{AtomicBool, Mutex, MutexGuard};

/// The lock under which events are put into the sockets' queues, so that all sockets receive events in the same order.
/// `R` is the run of events that is held back. A held run must be released before any other event is queued.
pub(super) struct Order<R> {
    held: Mutex<Option<R>>,
    /// Whether a run is held or is being delivered. Can be read without the lock.
    is_holding: AtomicBool,
}

/// The guard of the order lock. Only its holder may put events into queues.
pub(super) struct InOrder<'a, R> {
    held: MutexGuard<'a, Option<R>>,
    is_holding: &'a AtomicBool,
}

impl<R> Default for Order<R> {
    fn default() -> Self {
        Self { held: Mutex::new(None), is_holding: AtomicBool::new(false) }
    }
}

impl<R> Order<R> {
    pub(super) fn lock(&self) -> InOrder<'_, R> {
        InOrder { held: self.held.lock(), is_holding: &self.is_holding }
    }

    /// Whether a run is held or is being delivered. If this returns false, all runs that were held before have been
    /// delivered to the queues.
    pub(super) fn is_holding(&self) -> bool {
        self.is_holding.load(Ordering::Acquire)
    }
}

impl<R> InOrder<'_, R> {
    /// The run that is held.
    pub(super) fn run(&mut self) -> Option<&mut R> {
        self.held.as_mut()
    }

    /// Holds a run back. The previous run must have been released.
    pub(super) fn hold(&mut self, run: R) {
        debug_assert!(self.held.is_none(), "events would be lost");
        *self.held = Some(run);
        self.is_holding.store(true, Ordering::Release);
    }

    /// Delivers the held run, if there is one. Returns the number of deliveries, which `deliver` returns.
    pub(super) fn release(&mut self, deliver: impl FnOnce(R) -> usize) -> usize {
        let Some(run) = self.held.take() else { return 0 };
        let delivered = deliver(run);
        // Only after the delivery: a thread that reads `false` skips the lock, and could overtake the run.
        self.is_holding.store(false, Ordering::Release);
        delivered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_held_until_it_is_delivered_and_is_delivered_once() {
        let order = Order::default();
        assert_eq!(order.lock().release(|run: &str| run.len()), 0);
        order.lock().hold("run");
        assert_eq!(order.lock().run(), Some(&mut "run"));
        let deliver = |run: &str| {
            assert!(order.is_holding(), "another thread must wait for the lock");
            run.len()
        };
        assert_eq!(order.lock().release(deliver), 3);
        assert!(!order.is_holding());
        assert_eq!(order.lock().run(), None);
    }
}
