//! The one clock: it calls connections and sockets when something of theirs may be due. No connection has a timer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// Moments are rounded up to a multiple of this, which is what the runtime's timers know too.
const TICK: Duration = Duration::from_millis(1);

/// The first slot that is not before this time. 2^64 of them are more than there is time.
fn slot(since_start: Duration) -> u64 {
    since_start.as_nanos().div_ceil(TICK.as_nanos()) as u64
}

/// When a slot is due.
fn offset(slot: u64) -> Duration {
    Duration::from_nanos_u128(u128::from(slot) * TICK.as_nanos())
}

/// What a timer calls.
pub(super) trait Timed: Send + Sync {
    /// The timer of this ticket has gone off.
    fn timer_due(self: Arc<Self>, ticket: Ticket, now: Instant);
}

/// The timer of something that may be gone by then.
type Timer = Weak<dyn Timed>;

/// A call that was asked for, and can be called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    slot: u64,
    number: u64,
}

/// What is due when. Whoever is gone by then is not called.
pub(super) struct Timers {
    start: Instant,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    due: BTreeMap<Ticket, Timer>,
    next: u64,
}

impl Timers {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), state: Mutex::default(), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Calls at this moment, or up to a tick later.
    pub(super) fn add(&self, moment: Instant, timer: Timer) -> Ticket {
        let slot = slot(moment.saturating_duration_since(self.start));
        let mut state = self.state();
        let is_first = state.due.first_key_value().is_none_or(|(first, _)| slot < first.slot);
        let ticket = Ticket { slot, number: state.next };
        state.next += 1;
        state.due.insert(ticket, timer);
        drop(state);
        if is_first {
            self.changed.notify_one();
        }
        ticket
    }

    /// Does not call after all.
    pub(super) fn remove(&self, ticket: Ticket) {
        self.state().due.remove(&ticket);
    }

    /// Calls, for ever.
    pub(super) async fn run(&self) {
        loop {
            let (due, next) = self.take_due(Instant::now());
            for (ticket, timer) in due {
                if let Some(timed) = timer.upgrade() {
                    timed.timer_due(ticket, Instant::now());
                }
            }
            match next {
                None => self.changed.notified().await,
                Some(next) => tokio::select! {
                    () = tokio::time::sleep_until(next.into()) => {}
                    () = self.changed.notified() => {}
                },
            }
        }
    }

    /// What is due now, and when to look again.
    fn take_due(&self, now: Instant) -> (Vec<(Ticket, Timer)>, Option<Instant>) {
        let mut due = Vec::new();
        let mut state = self.state();
        while let Some(entry) = state.due.first_entry() {
            let moment = self.start + offset(entry.key().slot);
            if moment > now {
                return (due, Some(moment));
            }
            due.push(entry.remove_entry());
        }
        (due, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Timed for Nobody {
        fn timer_due(self: Arc<Self>, _: Ticket, _: Instant) {}
    }

    fn nobody() -> Timer {
        Weak::<Nobody>::new()
    }

    #[test]
    fn nothing_is_called_early_and_nothing_more_than_a_tick_late() {
        let timers = Timers::new();
        for micros in [0_u64, 1, 999, 1_000, 1_001, 14_500, 2_000_000] {
            let moment = timers.start + Duration::from_micros(micros);
            let ticket = timers.add(moment, nobody());
            let (early, next) = timers.take_due(moment - Duration::from_nanos(1));
            assert!(early.is_empty(), "{micros}");
            let next = next.unwrap();
            assert!(next >= moment && next < moment + TICK, "{micros}");
            let (due, _) = timers.take_due(next);
            assert_eq!(due.iter().map(|(due, _)| *due).collect::<Vec<_>>(), [ticket], "{micros}");
        }
    }

    #[test]
    fn years_after_the_start_timers_are_due_one_by_one() {
        let timers = Timers::new();
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        for days in [49, 50, 496, 498, 3_650] {
            let now = timers.start + DAY * days;
            let soon = timers.add(now + Duration::from_secs(20), nobody());
            let late = timers.add(now + Duration::from_secs(120), nobody());
            assert!(timers.take_due(now).0.is_empty(), "{days} days");
            let (due, next) = timers.take_due(now + Duration::from_secs(20) + TICK);
            assert_eq!(due.iter().map(|(due, _)| *due).collect::<Vec<_>>(), [soon], "{days} days");
            let until = next.unwrap() - (now + Duration::from_secs(120));
            assert!(until < TICK, "{days} days");
            timers.remove(late);
        }
    }
}
