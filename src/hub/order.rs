//! The lock that puts a hub's events in order, and the run of events that is held back under it.

use std::sync::atomic::Ordering;

use crate::sync::{AtomicBool, Mutex, MutexGuard};

/// The lock under which events are put into queues: all sockets get two events in the same order. `R` is a run of
/// events that is held back. It must be released before any other event is put into a queue.
pub(super) struct Order<R> {
    held: Mutex<Option<R>>,
    /// Whether a run is held, or is being delivered. Read without the lock.
    is_holding: AtomicBool,
}

/// The right to put events into queues.
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

    /// Whether a run is held, or is being delivered. Once this is false, everything that was held before is in the
    /// queues.
    pub(super) fn is_holding(&self) -> bool {
        self.is_holding.load(Ordering::Acquire)
    }
}

impl<R> InOrder<'_, R> {
    /// The run that is held.
    pub(super) fn run(&mut self) -> Option<&mut R> {
        self.held.as_mut()
    }

    /// Holds a run. The one before it must have been released.
    pub(super) fn hold(&mut self, run: R) {
        debug_assert!(self.held.is_none(), "events would be lost");
        *self.held = Some(run);
        self.is_holding.store(true, Ordering::Release);
    }

    /// Delivers the run that is held, if there is one. Returns what `deliver` returns, the number of deliveries.
    pub(super) fn release(&mut self, deliver: impl FnOnce(R) -> usize) -> usize {
        let Some(run) = self.held.take() else { return 0 };
        let delivered = deliver(run);
        // Not earlier: a thread that reads `false` does not take the lock.
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
