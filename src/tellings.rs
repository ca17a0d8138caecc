//! Collects the events that the callbacks of one commit emit, so that they are delivered together.
//!
//! The store's publisher makes one [`Tellings`] for each commit and passes it to the commit's callbacks. A function
//! that takes a `Tellings` emits together with the rest of the commit. A function without it emits at once.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::Weak,
};

/// Deliveries after which the publisher pauses: about a millisecond.
const DELIVERIES: usize = 4_096;

/// A hub that can hold events back until the end of a commit.
pub(crate) trait Hold: Send + Sync {
    /// Delivers the events that are held back. Returns the number of deliveries. Must be called without locks.
    fn release(&self) -> usize;
}

/// The events of one commit. Dropping it delivers them.
#[derive(Default)]
pub struct Tellings {
    /// The hub that holds events back. Only one hub does so at a time, so that a client with several namespaces
    /// receives the events in their order.
    holder: Option<Weak<dyn Hold>>,
    /// Runs after the delivery.
    after: Vec<Box<dyn FnOnce() + Send>>,
    /// Deliveries since the last pause.
    deliveries: usize,
}

impl Tellings {
    /// Called by a hub that is going to hold events back. Delivers those of another hub first.
    pub(crate) fn hold(&mut self, hub: &Weak<dyn Hold>) {
        if self.holder.as_ref().is_some_and(|holder| ptr::addr_eq(holder.as_ptr(), hub.as_ptr())) {
            return;
        }
        self.flush();
        self.holder = Some(hub.clone());
    }

    /// Delivers the events that are held back.
    pub(crate) fn flush(&mut self) {
        let Some(hub) = self.holder.take().and_then(|holder| holder.upgrade()) else { return };
        let mut delivered = 0;
        caught(|| delivered = hub.release());
        self.delivered(delivered);
    }

    /// Runs `work` after the delivery.
    pub(crate) fn after(&mut self, work: impl FnOnce() + Send + 'static) {
        self.after.push(Box::new(work));
    }

    /// Counts deliveries, for [`Self::is_pause_due`].
    pub(crate) fn delivered(&mut self, count: usize) {
        self.deliveries += count;
    }

    /// Whether the publisher should pause, because there were many deliveries since the last pause. Starts a new count
    /// if it returns true.
    pub(crate) fn is_pause_due(&mut self) -> bool {
        let is_due = self.deliveries >= DELIVERIES;
        if is_due {
            self.deliveries = 0;
        }
        is_due
    }
}

impl Drop for Tellings {
    fn drop(&mut self) {
        self.flush();
        std::mem::take(&mut self.after).into_iter().for_each(caught);
    }
}

/// Runs `work`, and logs a panic: the rest of the commit must still be delivered.
fn caught(work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!("a panic while the events of a commit were delivered");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    type Steps = Arc<Mutex<Vec<&'static str>>>;

    struct Holder {
        name: &'static str,
        steps: Steps,
    }

    impl Hold for Holder {
        fn release(&self) -> usize {
            self.steps.lock().push(self.name);
            assert_ne!(self.name, "panics", "as a bug would");
            DELIVERIES
        }
    }

    fn holder(name: &'static str, steps: &Steps) -> Arc<dyn Hold> {
        Arc::new(Holder { name, steps: steps.clone() })
    }

    fn note(steps: &Steps, step: &'static str) -> impl FnOnce() + Send + use<> {
        let steps = steps.clone();
        move || steps.lock().push(step)
    }

    #[test]
    fn held_events_are_delivered_when_it_is_dropped_and_then_after_runs() {
        let steps = Steps::default();
        let hub = holder("deliver", &steps);
        let mut tellings = Tellings::default();
        tellings.after(note(&steps, "after"));
        tellings.hold(&Arc::downgrade(&hub));
        tellings.hold(&Arc::downgrade(&hub));
        steps.lock().push("work");
        drop(tellings);
        assert_eq!(*steps.lock(), ["work", "deliver", "after"]);
    }

    #[test]
    fn held_events_are_delivered_if_a_callback_panics() {
        let steps = Steps::default();
        let hub = holder("deliver", &steps);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut tellings = Tellings::default();
            tellings.hold(&Arc::downgrade(&hub));
            panic!("as a bug would");
        }));
        assert!(result.is_err());
        assert_eq!(*steps.lock(), ["deliver"]);
    }

    #[test]
    fn after_runs_if_a_delivery_panics() {
        let steps = Steps::default();
        let hub = holder("panics", &steps);
        let mut tellings = Tellings::default();
        tellings.hold(&Arc::downgrade(&hub));
        tellings.after(note(&steps, "after"));
        drop(tellings);
        assert_eq!(*steps.lock(), ["panics", "after"]);
    }

    #[test]
    fn the_events_of_two_hubs_are_delivered_in_order() {
        let steps = Steps::default();
        let (one, other) = (holder("one", &steps), holder("other", &steps));
        let mut tellings = Tellings::default();
        for hub in [&one, &other, &one] {
            tellings.hold(&Arc::downgrade(hub));
        }
        assert_eq!(*steps.lock(), ["one", "other"]);
        drop(tellings);
        assert_eq!(*steps.lock(), ["one", "other", "one"]);
    }

    #[test]
    fn a_pause_is_due_once_after_many_deliveries() {
        let steps = Steps::default();
        let hub = holder("deliver", &steps);
        let mut tellings = Tellings::default();
        tellings.delivered(DELIVERIES - 1);
        assert!(!tellings.is_pause_due());
        tellings.hold(&Arc::downgrade(&hub));
        tellings.flush();
        assert!(tellings.is_pause_due());
        assert!(!tellings.is_pause_due());
    }
}
