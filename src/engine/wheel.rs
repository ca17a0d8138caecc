//! The one clock: it calls links and sockets when something of theirs may be due. No connection has a timer.

use std::{
    collections::BTreeMap,
    sync::{Mutex, Weak},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{link::Link, session::Session};

/// Moments are rounded up to a multiple of this.
const TICK: Duration = Duration::from_millis(10);

/// Who is to be called.
pub(super) enum Timed {
    Link(Weak<Link>),
    Session(Weak<Session>),
}

/// What is due when. Whoever is gone by then is not called.
pub(super) struct Wheel {
    start: Instant,
    slots: Mutex<BTreeMap<u64, Vec<(Instant, Timed)>>>,
    changed: Notify,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), slots: Mutex::default(), changed: Notify::new() }
    }

    /// Calls at this moment, or up to a tick later.
    pub(super) fn add(&self, moment: Instant, timed: Timed) {
        let slot = self.slot(moment);
        let mut slots = self.slots.lock().expect("no panic while counting");
        let is_first = slots.first_key_value().is_none_or(|(first, _)| slot < *first);
        slots.entry(slot).or_default().push((moment, timed));
        drop(slots);
        if is_first {
            self.changed.notify_one();
        }
    }

    fn slot(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.start).as_millis();
        (since / TICK.as_millis()) as u64 + 1
    }

    /// Calls, for ever.
    pub(super) async fn run(&self) {
        loop {
            let (due, next) = self.take_due(Instant::now());
            for (moment, timed) in due {
                let now = Instant::now();
                match timed {
                    Timed::Link(link) => {
                        if let Some(link) = link.upgrade() {
                            link.tick(moment, now);
                        }
                    }
                    Timed::Session(session) => {
                        if let Some(session) = session.upgrade() {
                            session.expire(moment);
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

    fn take_due(&self, now: Instant) -> (Vec<(Instant, Timed)>, Option<Instant>) {
        let mut due = Vec::new();
        let mut slots = self.slots.lock().expect("no panic while counting");
        while let Some(entry) = slots.first_entry() {
            let moment = self.start + TICK * u32::try_from(*entry.key()).unwrap_or(u32::MAX);
            if moment > now {
                return (due, Some(moment));
            }
            due.append(&mut entry.remove());
        }
        (due, None)
    }
}
