//! A turn: what one thread does without a pause with things that came together, the packets of one read or the writes
//! of one commit. What they tell the same receivers leaves together at its end.

use std::{cell::RefCell, sync::Weak};

/// Somebody who keeps things until the turn ends.
pub(crate) trait Keeper: Send + Sync {
    /// Lets go of them. Called without locks.
    fn let_go(&self);
}

thread_local! {
    /// Who keeps things in this thread's turn; `None` where there is no turn.
    static KEEPERS: RefCell<Option<Vec<Weak<dyn Keeper>>>> = const { RefCell::new(None) };
}

/// Does `work` as one turn, or as a part of the turn there is.
pub(crate) fn take<T>(work: impl FnOnce() -> T) -> T {
    let _end = KEEPERS.with_borrow_mut(|keepers| match keepers {
        Some(_) => None,
        None => {
            *keepers = Some(Vec::new());
            Some(End)
        }
    });
    work()
}

/// Whether there is a turn; then `keeper` may keep things, and is told of its end.
pub(crate) fn keep(keeper: &Weak<dyn Keeper>) -> bool {
    KEEPERS.with_borrow_mut(|keepers| {
        let Some(keepers) = keepers else { return false };
        if !keepers.iter().any(|other| other.ptr_eq(keeper)) {
            keepers.push(keeper.clone());
        }
        true
    })
}

/// Lets go of what is kept so far: before something that may not come earlier than it.
pub(crate) fn settle() {
    let keepers = KEEPERS.with_borrow_mut(|keepers| keepers.as_mut().map(std::mem::take));
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
        // What is told at the end may tell more.
        while KEEPERS.with_borrow(|keepers| keepers.as_ref().is_some_and(|keepers| !keepers.is_empty())) {
            settle();
        }
        KEEPERS.set(None);
    }
}
