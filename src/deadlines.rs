//! Deadlines: a map of keys ordered by the moments at which they are due, and one task that waits for the earliest.

use std::{collections::BTreeMap, future::Future, time::Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Keys, each with the moment at which it is due. `M` is the type of the moments: [`Instant`], or a wall-clock
/// timestamp.
///
/// It replaces `tokio_util`'s `DelayQueue`: measured with heartbeats it costs less time and memory, durations have no
/// maximum, and it works with any clock.
pub(crate) struct Deadlines<K, M = Instant> {
    entries: Mutex<Entries<K, M>>,
    /// Notified when a deadline earlier than all others is inserted.
    earlier: Notify,
}

struct Entries<K, M> {
    by_moment: BTreeMap<Ticket<M>, K>,
    /// The number of the next ticket.
    next_number: u64,
}

/// Identifies one deadline: to remove or reset it, and to tell whether it is the one that became due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket<M = Instant> {
    at: M,
    number: u64,
}

impl<M: Copy> Ticket<M> {
    /// When the deadline is due.
    pub(crate) fn at(&self) -> M {
        self.at
    }
}

impl<K, M: Copy + Ord> Deadlines<K, M> {
    /// Creates an empty map.
    pub(crate) fn new() -> Self {
        let entries = Entries { by_moment: BTreeMap::new(), next_number: 0 };
        Self { entries: Mutex::new(entries), earlier: Notify::new() }
    }

    /// Adds a deadline. One that has passed already is due at once.
    pub(crate) fn insert(&self, at: M, key: K) -> Ticket<M> {
        self.replace(None, at, key)
    }

    /// Removes a deadline, if it is not due yet.
    pub(crate) fn remove(&self, ticket: Ticket<M>) {
        self.entries.lock().by_moment.remove(&ticket);
    }

    /// Moves a deadline. One that was due already is added again.
    pub(crate) fn reset(&self, ticket: Ticket<M>, at: M, key: K) -> Ticket<M> {
        self.replace(Some(ticket), at, key)
    }

    fn replace(&self, old: Option<Ticket<M>>, at: M, key: K) -> Ticket<M> {
        let mut entries = self.entries.lock();
        if let Some(old) = old {
            entries.by_moment.remove(&old);
        }
        let ticket = Ticket { at, number: entries.next_number };
        entries.next_number += 1;
        let is_earliest = entries.by_moment.first_key_value().is_none_or(|(first, _)| at < first.at);
        entries.by_moment.insert(ticket, key);
        drop(entries);
        if is_earliest {
            self.earlier.notify_one();
        }
        ticket
    }

    /// Removes and returns the keys that are due now, in the order of their deadlines, with the next deadline after
    /// them.
    pub(crate) fn take_due(&self, now: M) -> (Vec<(Ticket<M>, K)>, Option<M>) {
        let mut due = Vec::new();
        let mut entries = self.entries.lock();
        while let Some(entry) = entries.by_moment.first_entry() {
            let at = entry.key().at;
            if at > now {
                return (due, Some(at));
            }
            due.push(entry.remove_entry());
        }
        (due, None)
    }

    /// Waits until at least one key is due by this clock; removes and returns all keys that are due. `sleep` waits for a
    /// moment and may return early. Only one task may wait.
    pub(crate) async fn due_by<S: Future<Output = ()>>(
        &self,
        now: impl Fn() -> M,
        sleep: impl Fn(M) -> S,
    ) -> Vec<(Ticket<M>, K)> {
        loop {
            let (due, next) = self.take_due(now());
            if !due.is_empty() {
                return due;
            }
            match next {
                None => self.earlier.notified().await,
                Some(next) => tokio::select! {
                    () = sleep(next) => {}
                    () = self.earlier.notified() => {}
                },
            }
        }
    }
}

impl<K> Deadlines<K> {
    /// Waits until at least one key is due; removes and returns all keys that are due. Only one task may wait.
    pub(crate) async fn due(&self) -> Vec<(Ticket, K)> {
        self.due_by(Instant::now, |next| tokio::time::sleep_until(next.into())).await
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    /// The resolution of the runtime's timers.
    const TICK: Duration = Duration::from_millis(1);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn keys<M>(due: Vec<(Ticket<M>, &'static str)>) -> Vec<&'static str> {
        due.into_iter().map(|(_, key)| key).collect()
    }

    #[test]
    fn a_key_is_due_at_its_moment_and_not_before() {
        let deadlines = Deadlines::new();
        let start = Instant::now();
        for micros in [0_u64, 1, 999, 1_000, 1_001, 14_500, 2_000_000] {
            let moment = start + Duration::from_micros(micros);
            let ticket = deadlines.insert(moment, "key");
            assert_eq!(ticket.at(), moment);
            let (early, next) = deadlines.take_due(moment - Duration::from_nanos(1));
            assert!(early.is_empty(), "{micros}");
            assert_eq!(next, Some(moment));
            assert_eq!(deadlines.take_due(moment), (vec![(ticket, "key")], None), "{micros}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_at_the_earliest_deadline_and_at_most_a_tick_later() {
        use tokio::time::Instant;
        let deadlines = Deadlines::new();
        let start = Instant::now();
        let moments =
            [0_u64, 1, 999, 1_000, 14_500, 14_501, 2_000_000].map(|micros| start + Duration::from_micros(micros));
        for moment in moments.into_iter().rev() {
            deadlines.insert(moment, moment);
        }
        let mut called = Vec::new();
        while called.len() < moments.len() {
            for (_, moment) in deadlines.due_by(Instant::now, tokio::time::sleep_until).await {
                let late = Instant::now() - moment;
                assert!(late <= TICK, "{late:?}");
                called.push(moment);
            }
        }
        assert_eq!(called, moments);
    }

    #[test]
    fn years_after_the_start_keys_are_due_one_by_one() {
        let deadlines = Deadlines::new();
        let start = Instant::now();
        for days in [49, 50, 496, 498, 3_650] {
            let now = start + DAY * days;
            let soon = now + Duration::from_secs(20);
            let late = deadlines.insert(now + Duration::from_secs(120), "late");
            deadlines.insert(soon, "soon");
            assert!(deadlines.take_due(now).0.is_empty(), "{days} days");
            let (due, next) = deadlines.take_due(soon + TICK);
            assert_eq!((keys(due), next), (vec!["soon"], Some(late.at())), "{days} days");
            deadlines.remove(late);
        }
    }

    #[test]
    fn a_removed_key_is_never_due() {
        let deadlines = Deadlines::new();
        let start = Instant::now();
        let removed = deadlines.insert(start, "removed");
        let due = deadlines.insert(start, "due");
        deadlines.remove(removed);
        assert_eq!(deadlines.take_due(start), (vec![(due, "due")], None));
        deadlines.remove(due);
        assert_eq!(deadlines.take_due(start + DAY), (vec![], None));
    }

    #[test]
    fn a_key_that_is_reset_is_due_once_at_its_new_moment() {
        let deadlines = Deadlines::new();
        let start = Instant::now();
        let first = deadlines.insert(start + TICK * 2, "key");
        let second = deadlines.reset(first, start + TICK, "key");
        let third = deadlines.reset(second, start + TICK * 4, "key");
        assert_eq!(deadlines.take_due(start + TICK * 3), (vec![], Some(third.at())));
        assert_eq!(deadlines.take_due(start + TICK * 4), (vec![(third, "key")], None));
        let fourth = deadlines.reset(third, start + TICK * 5, "key");
        assert_eq!(deadlines.take_due(start + TICK * 5), (vec![(fourth, "key")], None), "it was due already");
    }

    #[tokio::test]
    async fn an_earlier_deadline_ends_the_wait_for_a_later_one() {
        let deadlines = Arc::new(Deadlines::new());
        let waiting = tokio::spawn({
            let deadlines = deadlines.clone();
            async move { keys(deadlines.due().await) }
        });
        deadlines.insert(Instant::now() + DAY, "late");
        tokio::task::yield_now().await;
        deadlines.insert(Instant::now(), "soon");
        assert_eq!(waiting.await.unwrap(), ["soon"]);
    }
}
