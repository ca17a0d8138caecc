//! The one clock: it calls links and sockets when something of theirs may be due. No connection has a timer.

use std::{
    collections::BTreeMap,
    sync::Weak,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::{link::Link, session::Session};

/// Moments are rounded up to a multiple of this.
const TICK: Duration = Duration::from_millis(10);

/// Who is to be called.
pub(super) enum Timed {
    Link(Weak<Link>),
    Session(Weak<Session>),
}

/// A call that was asked for, and can be called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    slot: u64,
    number: u64,
}

/// What is due when. Whoever is gone by then is not called.
pub(super) struct Wheel {
    start: Instant,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    due: BTreeMap<Ticket, Timed>,
    next: u64,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), state: Mutex::default(), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Calls at this moment, or up to a tick later.
    pub(super) fn add(&self, moment: Instant, timed: Timed) -> Ticket {
        let slot = (moment.saturating_duration_since(self.start).as_millis() / TICK.as_millis()) as u64 + 1;
        let mut state = self.state();
        let is_first = state.due.first_key_value().is_none_or(|(first, _)| slot < first.slot);
        let ticket = Ticket { slot, number: state.next };
        state.next += 1;
        state.due.insert(ticket, timed);
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
            for (ticket, timed) in due {
                match timed {
                    Timed::Link(link) => {
                        if let Some(link) = link.upgrade() {
                            link.tick(ticket, Instant::now());
                        }
                    }
                    Timed::Session(session) => {
                        if let Some(session) = session.upgrade() {
                            session.expire(ticket);
                        }
                    }
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
    fn take_due(&self, now: Instant) -> (Vec<(Ticket, Timed)>, Option<Instant>) {
        let mut due = Vec::new();
        let mut state = self.state();
        while let Some(entry) = state.due.first_entry() {
            let ticks = u32::try_from(entry.key().slot).unwrap_or(u32::MAX);
            let moment = self.start + TICK * ticks;
            if moment > now {
                return (due, Some(moment));
            }
            due.push(entry.remove_entry());
        }
        (due, None)
    }
}
