//! What the followers of one commit tell, collected so that it leaves together.
//!
//! The store's publisher makes one [`Tellings`] for each commit and hands it to what follows the commit. A function
//! that takes it tells together with the rest of the commit; a function that does not tells at once.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::Weak,
};

/// Deliveries after which the publisher pauses: about a millisecond.
const DELIVERIES: usize = 4_096;

/// A hub that can hold events back until the end of a commit.
pub(crate) trait Hold: Send + Sync {
    /// Delivers the events that are held back. Returns the number of deliveries. Called without locks.
    fn release(&self) -> usize;
}

/// Collects what the followers of one commit tell. Everything is delivered when it is dropped.
#[derive(Default)]
pub struct Tellings {
    /// The hub that holds events back. Only one does at a time: the order of what a client hears is kept across
    /// namespaces.
    holder: Option<Weak<dyn Hold>>,
    after: Vec<Box<dyn FnOnce() + Send>>,
    /// Deliveries since the last pause.
    deliveries: usize,
}

impl Tellings {
    /// The hub is about to hold events back. Delivers those of another hub first.
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

    /// Runs `work` when everything is delivered.
    pub(crate) fn after(&mut self, work: impl FnOnce() + Send + 'static) {
        self.after.push(Box::new(work));
    }

    /// Counts deliveries, for [`Self::is_pause_due`].
    pub(crate) fn delivered(&mut self, count: usize) {
        self.deliveries += count;
    }

    /// Whether there were so many deliveries since the last pause that other tasks should run. True once for each
    /// pause.
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

/// A panic here must not keep the rest of the commit from its receivers.
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
    fn held_events_are_delivered_at_the_end_and_then_comes_what_waits_for_them() {
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
    fn a_follower_that_panics_does_not_keep_held_events_from_their_receivers() {
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
    fn a_delivery_that_panics_does_not_keep_the_rest_from_happening() {
        let steps = Steps::default();
        let hub = holder("panics", &steps);
        let mut tellings = Tellings::default();
        tellings.hold(&Arc::downgrade(&hub));
        tellings.after(note(&steps, "after"));
        drop(tellings);
        assert_eq!(*steps.lock(), ["panics", "after"]);
    }

    #[test]
    fn two_hubs_deliver_in_the_order_in_which_they_were_told() {
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
