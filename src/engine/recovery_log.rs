//! The recovery log of one socket: its last events, including those that were emitted while the client was away.

use std::{collections::VecDeque, sync::Arc};

use super::{
    frame::Frame,
    memory::{Account, Charge, MemoryKind},
    version::Protocol,
};

/// The capacity of a log that is not charged to the account.
const KEPT: usize = 32;

/// Events in the order in which they were sent. A client can recover its socket if the last event that it has received
/// is in the log, or is the last one that was removed.
#[derive(Default)]
pub(super) struct RecoveryLog {
    /// Each frame is one event, or several joined events.
    entries: VecDeque<Arc<Frame>>,
    /// The number of events that were removed from the first entry.
    removed: usize,
    /// The number of events.
    len: usize,
    bytes: usize,
    /// The offset number of the last event that was removed; 0 if none was.
    last_removed: u64,
    /// The number of events, from the front, that were sent before the last ping.
    sent_before_ping: usize,
    /// The charge for the capacity of `entries`, if it is above [`KEPT`].
    slots: Option<Box<Charge>>,
}

impl RecoveryLog {
    /// Appends an event, or several in a joined frame. Removes the oldest events if there are too many.
    pub(super) fn push(&mut self, frame: &Arc<Frame>, most: usize, most_bytes: usize, account: &Arc<Account>) {
        self.bytes += size(frame);
        self.len += frame.parts().len();
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve(1);
            if self.entries.capacity() > KEPT {
                let bytes = self.entries.capacity() * size_of::<Arc<Frame>>();
                self.slots.get_or_insert_with(|| Box::new(Charge::new(account, MemoryKind::Logs, 0))).resize(bytes);
            }
        }
        frame.charge(account).logged();
        self.entries.push_back(frame.clone());
        while self.len > most || self.bytes > most_bytes {
            let is_too_much = |len, bytes| len >= most || bytes >= most_bytes;
            if !self.remove_entry_if(is_too_much) && !self.remove_first() {
                break;
            }
        }
    }

    /// A log of these events, after the removal of the event with the number `last_removed`.
    pub(super) fn restored(
        events: &[Arc<Frame>],
        last_removed: u64,
        most: usize,
        most_bytes: usize,
        account: &Arc<Account>,
    ) -> Self {
        let mut log = Self { last_removed, ..Self::default() };
        events.iter().for_each(|event| log.push(event, most, most_bytes, account));
        log
    }

    /// Its events, none of them joined with others.
    pub(super) fn events(&self) -> Vec<Arc<Frame>> {
        self.entries.iter().flat_map(Frame::parts).skip(self.removed).cloned().collect()
    }

    /// The offset number of the last event that was removed; 0 if none was.
    pub(super) fn last_removed(&self) -> u64 {
        self.last_removed
    }

    /// The bytes of its events, each counted in full.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Removes the first entry if none of its events was removed before, and `condition` holds for the numbers of
    /// events and bytes that remain without it.
    fn remove_entry_if(&mut self, condition: impl Fn(usize, usize) -> bool) -> bool {
        let Some(entry) = self.entries.front().filter(|_| self.removed == 0) else { return false };
        let (len, bytes) = (self.len - entry.parts().len(), self.bytes - size(entry));
        if !condition(len, bytes) {
            return false;
        }
        self.last_removed = entry.number();
        self.sent_before_ping = self.sent_before_ping.saturating_sub(entry.parts().len());
        (self.len, self.bytes) = (len, bytes);
        self.entries.pop_front();
        true
    }

    fn remove_first(&mut self) -> bool {
        let Some(entry) = self.entries.front() else { return false };
        let events = entry.parts();
        let first = &events[self.removed];
        self.bytes -= size(first);
        self.last_removed = first.number();
        self.len -= 1;
        self.sent_before_ping = self.sent_before_ping.saturating_sub(1);
        self.removed += 1;
        if self.removed == events.len() {
            self.removed = 0;
            self.entries.pop_front();
        }
        true
    }

    /// Called when a ping is sent. The events that are in the log were sent before it.
    pub(super) fn ping_sent(&mut self) {
        self.sent_before_ping = self.len;
    }

    /// The pong has arrived. Removes the events that were sent before the ping, because the client has received them.
    pub(super) fn pong_received(&mut self) {
        for _ in 0..self.sent_before_ping {
            self.remove_first();
        }
        self.shrink();
    }

    /// Removes all events. Afterwards, only a client that has received the last of them can recover the socket.
    pub(super) fn clear(&mut self) {
        while self.remove_first() {}
        self.shrink();
    }

    fn shrink(&mut self) {
        if self.entries.is_empty() {
            (self.entries, self.slots) = (VecDeque::new(), None);
        }
    }

    /// Whether all events after the one with this number are in the log. 0 means all events since CONNECT.
    pub(super) fn is_whole_after(&self, number: u64) -> bool {
        number == self.last_removed || self.position(number).is_some()
    }

    /// The index of the event with this number. The search starts at the end, because a client has usually received
    /// most events.
    fn position(&self, number: u64) -> Option<usize> {
        let mut events = self.entries.iter().rev().flat_map(|entry| entry.parts().iter().rev()).take(self.len);
        let after_it = events.position(|event| event.number() == number)?;
        Some(self.len - 1 - after_it)
    }

    /// The events after the one with this number. Removes the events up to it.
    pub(super) fn replay_after(&mut self, number: u64) -> impl Iterator<Item = &Arc<Frame>> {
        if let Some(position) = self.position(number) {
            for _ in 0..=position {
                self.remove_first();
            }
        }
        self.sent_before_ping = 0;
        self.entries.iter().flat_map(Frame::parts).skip(self.removed)
    }
}

fn size(frame: &Frame) -> usize {
    frame.websocket_bytes(Protocol::V4).len()
}

#[cfg(test)]
mod tests {
    use super::{super::offset::Offsets, *};

    fn frames(count: usize) -> Vec<Arc<Frame>> {
        let offsets = Offsets::new();
        (0..count).map(|_| Frame::event("/", None, "[\"a\"]", Vec::new(), Some(&offsets))).collect()
    }

    fn numbers(log: &mut RecoveryLog, after: u64) -> Option<Vec<u64>> {
        log.is_whole_after(after).then(|| log.replay_after(after).map(|frame| frame.number()).collect())
    }

    #[test]
    fn it_replays_the_events_after_the_last_one_that_the_client_received() {
        let mut log = RecoveryLog::default();
        for frame in frames(5) {
            log.push(&frame, 10, 1_000, &Account::unbounded());
        }
        assert_eq!(numbers(&mut log, 0), Some(vec![1, 2, 3, 4, 5]), "from the start");
        assert_eq!(numbers(&mut log, 3), Some(vec![4, 5]));
        assert_eq!(numbers(&mut log, 3), Some(vec![4, 5]), "again");
        assert_eq!(numbers(&mut log, 2), None, "removed by the recovery before");
        assert_eq!(numbers(&mut log, 0), None, "no longer complete");
        assert_eq!(numbers(&mut log, 9), None, "never sent");
    }

    #[test]
    fn it_is_bounded_and_has_no_gap() {
        let mut log = RecoveryLog::default();
        for frame in frames(5) {
            log.push(&frame, 3, 1_000, &Account::unbounded());
        }
        assert_eq!(numbers(&mut log, 1), None, "2 was removed");
        assert_eq!(numbers(&mut log, 2), Some(vec![3, 4, 5]));
        let mut small = RecoveryLog::default();
        for frame in frames(5) {
            let most_bytes = 2 * size(&frame);
            small.push(&frame, 100, most_bytes, &Account::unbounded());
        }
        assert_eq!(numbers(&mut small, 3), Some(vec![4, 5]));
    }

    #[test]
    fn joined_events_are_counted_recovered_and_removed_one_by_one() {
        let joined = |log: &mut RecoveryLog, most| {
            let all = frames(6);
            let (first, others) = all.split_first().unwrap();
            log.push(first, most, 1_000, &Account::unbounded());
            log.push(&Frame::joined(others[..4].to_vec()), most, 1_000, &Account::unbounded());
            log.push(&others[4], most, 1_000, &Account::unbounded());
            size(first)
        };
        for after in 0..=6 {
            let mut log = RecoveryLog::default();
            let size = joined(&mut log, 10);
            assert_eq!(numbers(&mut log, after), Some((after + 1..=6).collect()), "{after}");
            let left = 6 - after as usize;
            assert_eq!((log.len, log.bytes), (left, left * size));
            assert_eq!(numbers(&mut log, after), Some((after + 1..=6).collect()), "{after}, again");
        }
        for most in 1..6 {
            let mut log = RecoveryLog::default();
            joined(&mut log, most);
            let removed = 6 - most as u64;
            assert_eq!(numbers(&mut log, removed - 1), None, "{removed} was removed");
            assert_eq!(numbers(&mut log, removed), Some((removed + 1..=6).collect()));
        }
        let mut log = RecoveryLog::default();
        joined(&mut log, 4);
        log.ping_sent();
        joined(&mut log, 7);
        log.pong_received();
        assert_eq!((log.len, log.last_removed), (6, 6));
    }

    #[test]
    fn a_restored_log_is_as_it_was() {
        let frames = frames(6);
        for removed in 0..4 {
            let mut log = RecoveryLog::default();
            log.push(&Frame::joined(frames[..4].to_vec()), 10, 1_000, &Account::unbounded());
            frames[4..].iter().for_each(|frame| log.push(frame, 10, 1_000, &Account::unbounded()));
            for _ in 0..removed {
                log.remove_first();
            }
            let (events, last) = (log.events(), log.last_removed());
            let mut restored = RecoveryLog::restored(&events, last, 10, 1_000, &Account::unbounded());
            assert_eq!((restored.len, restored.bytes, restored.last_removed), (log.len, log.bytes, log.last_removed));
            for after in (0..=6).rev() {
                assert_eq!(numbers(&mut restored, after), numbers(&mut log, after), "{removed} removed, after {after}");
            }
        }
    }

    #[test]
    fn a_pong_removes_the_events_that_were_sent_before_its_ping() {
        let mut log = RecoveryLog::default();
        let frames = frames(4);
        log.push(&frames[0], 10, 1_000, &Account::unbounded());
        log.push(&frames[1], 10, 1_000, &Account::unbounded());
        log.ping_sent();
        log.push(&frames[2], 10, 1_000, &Account::unbounded());
        log.pong_received();
        log.push(&frames[3], 10, 1_000, &Account::unbounded());
        assert_eq!(numbers(&mut log, 2), Some(vec![3, 4]));
        assert_eq!(numbers(&mut log, 1), None);
    }
}
