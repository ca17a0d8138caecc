//! A turn: what is done with things that belong together, the writes of one commit. What they tell the same receivers
//! leaves together at its end. It may pause between two of them, so that others have the thread.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Weak,
};

/// Deliveries after which a turn pauses: about a millisecond.
const DELIVERIES: usize = 4_096;

/// Somebody who keeps things until the turn ends.
pub(crate) trait Keeper: Send + Sync {
    /// Lets go of them. Called without locks.
    fn let_go(&self);
}

/// A turn; it ends when it is dropped.
#[derive(Default)]
pub(crate) struct Turn {
    keepers: Vec<Weak<dyn Keeper>>,
    after: Vec<Box<dyn FnOnce() + Send>>,
    /// Since it last paused.
    deliveries: usize,
}

thread_local! {
    /// This thread's turn, where it is in one.
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

impl Turn {
    /// Does `work` as a part of it. It must not wait for anything.
    pub(crate) fn part<T>(&mut self, work: impl FnOnce() -> T) -> T {
        /// Takes the turn back, also where the work panicked.
        struct Back<'a>(&'a mut Turn);

        impl Drop for Back<'_> {
            fn drop(&mut self) {
                *self.0 = TURN.take().unwrap_or_default();
            }
        }

        TURN.set(Some(std::mem::take(self)));
        let _back = Back(self);
        work()
    }

    /// Whether so much was delivered that others should have the thread; asked once for each pause.
    pub(crate) fn is_long(&mut self) -> bool {
        let is_long = self.deliveries >= DELIVERIES;
        if is_long {
            self.deliveries = 0;
        }
        is_long
    }
}

/// So much was put into queues.
pub(crate) fn delivered(count: usize) {
    TURN.with_borrow_mut(|turn| {
        if let Some(turn) = turn {
            turn.deliveries += count;
        }
    });
}

/// Whether there is a turn; then `keeper` may keep things, and is told of its end.
pub(crate) fn keep(keeper: &Weak<dyn Keeper>) -> bool {
    TURN.with_borrow_mut(|turn| {
        let Some(turn) = turn else { return false };
        if !turn.keepers.iter().any(|other| other.ptr_eq(keeper)) {
            turn.keepers.push(keeper.clone());
        }
        true
    })
}

/// Does this once nothing is kept any more: now, where there is no turn.
pub(crate) fn after(work: impl FnOnce() + Send + 'static) {
    let now = TURN.with_borrow_mut(|turn| match turn {
        Some(turn) => {
            turn.after.push(Box::new(work));
            None
        }
        None => Some(work),
    });
    if let Some(work) = now {
        work();
    }
}

/// Lets go of what is kept so far.
pub(crate) fn settle() {
    let keepers = TURN.with_borrow_mut(|turn| turn.as_mut().map(|turn| std::mem::take(&mut turn.keepers)));
    for keeper in keepers.into_iter().flatten() {
        if let Some(keeper) = keeper.upgrade() {
            alone(|| keeper.let_go());
        }
    }
}

/// One that panics does not keep the others from their turn.
fn alone(work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!("the end of a turn panicked");
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Whoever lets go of things may be given others: a client that cannot take them is dropped, and its room told.
        while !self.keepers.is_empty() {
            self.part(settle);
        }
        std::mem::take(&mut self.after).into_iter().for_each(alone);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Default)]
    struct Notes(Mutex<Vec<&'static str>>);

    struct Pupil {
        notes: Arc<Notes>,
        /// To be given something as well when this one lets go.
        next: Option<Weak<dyn Keeper>>,
    }

    impl Keeper for Pupil {
        fn let_go(&self) {
            self.notes.0.lock().push("let go");
            if let Some(next) = &self.next {
                assert!(keep(next), "the turn goes on");
            }
        }
    }

    #[test]
    fn what_is_kept_is_let_go_at_the_end_and_then_comes_what_waits_for_it() {
        let notes = Arc::new(Notes::default());
        let last: Arc<dyn Keeper> = Arc::new(Pupil { notes: notes.clone(), next: None });
        let first: Arc<dyn Keeper> = Arc::new(Pupil { notes: notes.clone(), next: Some(Arc::downgrade(&last)) });
        assert!(!keep(&Arc::downgrade(&first)), "there is no turn");
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Turn::default().part(|| {
                assert!(keep(&Arc::downgrade(&first)) && keep(&Arc::downgrade(&first)));
                let late = notes.clone();
                after(move || late.0.lock().push("after"));
                notes.0.lock().push("work");
                panic!("as a bug would");
            })
        }));
        assert!(result.is_err());
        assert_eq!(*notes.0.lock(), ["work", "let go", "let go", "after"]);
        let now = notes.clone();
        after(move || now.0.lock().push("now"));
        assert_eq!(notes.0.lock().last(), Some(&"now"));
        assert!(!keep(&Arc::downgrade(&first)), "the turn is over");
    }
}
