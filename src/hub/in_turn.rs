//! A queue from which one thread at a time passes values to code of the application, in order. The hub adds values
//! while it holds its locks, and passes them on after it has released the locks.

use std::collections::VecDeque;

use crate::sync::Mutex;

/// A queue of values to pass on.
pub(super) struct InTurn<T>(Mutex<State<T>>);

struct State<T> {
    queue: VecDeque<T>,
    /// Whether a thread has the claim: it is passing on the values of the queue.
    is_claimed: bool,
}

impl<T> Default for InTurn<T> {
    fn default() -> Self {
        Self(Mutex::new(State { queue: VecDeque::new(), is_claimed: false }))
    }
}

impl<T> InTurn<T> {
    /// Adds a value. The caller must call [`Self::pass_on`] after it has released its locks.
    pub(super) fn add(&self, next: T) {
        self.0.lock().queue.push_back(next);
    }

    /// Calls the function `pass_on` with each value of the queue, in order. Returns at once if another thread has the
    /// claim: that thread also passes on the values that are added meanwhile. The caller must hold no locks. The
    /// function must not panic, because the claim would then never end.
    pub(super) fn pass_on(&self, pass_on: impl Fn(T)) {
        if std::mem::replace(&mut self.0.lock().is_claimed, true) {
            return;
        }
        while let Some(next) = self.next() {
            pass_on(next);
        }
    }

    /// Removes the first value. If the queue is empty, returns `None` and ends the claim.
    fn next(&self) -> Option<T> {
        let mut state = self.0.lock();
        let next = state.queue.pop_front();
        state.is_claimed = next.is_some();
        next
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn what_is_added_meanwhile_is_passed_on_by_the_same_caller() {
        let (in_turn, passed) = (InTurn::default(), RefCell::new(Vec::new()));
        in_turn.add(3);
        in_turn.pass_on(|number: u8| {
            passed.borrow_mut().push(number);
            if number > 0 {
                in_turn.add(number - 1);
                in_turn.pass_on(|_| panic!("the claim is taken"));
            }
        });
        in_turn.add(7);
        in_turn.pass_on(|number| passed.borrow_mut().push(number));
        assert_eq!(passed.into_inner(), [3, 2, 1, 0, 7]);
    }
}
