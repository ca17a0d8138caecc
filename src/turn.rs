//! A turn: what one thread does without a pause with things that belong together, the writes of one commit. What they
//! tell the same receivers leaves together at its end.

use std::{cell::RefCell, sync::Weak};

/// Somebody who keeps things until the turn ends.
pub(crate) trait Keeper: Send + Sync {
    /// Lets go of them. Called without locks.
    fn let_go(&self);
}

#[derive(Default)]
struct Turn {
    keepers: Vec<Weak<dyn Keeper>>,
    after: Vec<Box<dyn FnOnce()>>,
}

thread_local! {
    /// This thread's turn, where it is in one.
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// Does `work` as one turn. It must not wait for anything.
pub(crate) fn take<T>(work: impl FnOnce() -> T) -> T {
    let _end = End;
    TURN.set(Some(Turn::default()));
    work()
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
pub(crate) fn after(work: impl FnOnce() + 'static) {
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
            keeper.let_go();
        }
    }
}

/// Ends the turn, also where it panicked.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        settle();
        let after = TURN.take().map(|turn| turn.after);
        after.into_iter().flatten().for_each(|work| work());
    }
}
