//! The recovery log of one socket: the last events that were sent to it, or would have been while its client was away.

use std::{collections::VecDeque, sync::Arc};

use super::{
    frame::Frame,
    memory::{Account, Charge, Kind},
    version::Protocol,
};

/// How many places of a log are not charged to the account.
const KEPT: usize = 32;

/// Events in the order in which they were sent. A client can recover if the last event that it has received is one of
/// these, or the one just before the first.
#[derive(Default)]
pub(super) struct RecoveryLog {
    /// Each is one event, or several that were joined.
    entries: VecDeque<Arc<Frame>>,
    /// How many events of the first entry are removed.
    forgotten: usize,
    /// The number of events.
    len: usize,
    bytes: usize,
    /// The number of the last event that was removed from the front; 0 while none was.
    last_gone: u64,
    /// How many events, from the front, were sent before the last ping.
    pinged: usize,
    /// For the capacity of `entries`, where it is above [`KEPT`].
    slots: Option<Box<Charge>>,
}

impl RecoveryLog {
    /// Appends an event, or several that were joined. The oldest events are removed to keep the bounds.
    pub(super) fn push(&mut self, frame: &Arc<Frame>, most: usize, most_bytes: usize, account: &Arc<Account>) {
        self.bytes += size(frame);
        self.len += frame.parts().len();
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve(1);
            if self.entries.capacity() > KEPT {
                let bytes = self.entries.capacity() * size_of::<Arc<Frame>>();
                self.slots.get_or_insert_with(|| Box::new(Charge::new(account, Kind::Logs, 0))).resize(bytes);
            }
        }
        frame.charge(account).logged();
        self.entries.push_back(frame.clone());
        while self.len > most || self.bytes > most_bytes {
            let is_too_much = |len, bytes| len >= most || bytes >= most_bytes;
            if !self.forget_entry_if(is_too_much) && !self.forget_first() {
                break;
            }
        }
    }

    /// Bytes of its events, each in full.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Removes the first entry if no event of it is removed yet and this holds for the events and bytes that would be
    /// left.
    fn forget_entry_if(&mut self, is_true: impl Fn(usize, usize) -> bool) -> bool {
        let Some(entry) = self.entries.front().filter(|_| self.forgotten == 0) else { return false };
        let (len, bytes) = (self.len - entry.parts().len(), self.bytes - size(entry));
        if !is_true(len, bytes) {
            return false;
        }
        self.last_gone = entry.number();
        self.pinged = self.pinged.saturating_sub(entry.parts().len());
        (self.len, self.bytes) = (len, bytes);
        self.entries.pop_front();
        true
    }

    fn forget_first(&mut self) -> bool {
        let Some(entry) = self.entries.front() else { return false };
        let events = entry.parts();
        let first = &events[self.forgotten];
        self.bytes -= size(first);
        self.last_gone = first.number();
        self.len -= 1;
        self.pinged = self.pinged.saturating_sub(1);
        self.forgotten += 1;
        if self.forgotten == events.len() {
            self.forgotten = 0;
            self.entries.pop_front();
        }
        true
    }

    /// A ping is sent after the events that are in the log.
    pub(super) fn pinged(&mut self) {
        self.pinged = self.len;
    }

    /// The pong has arrived: the client has received the events that were sent before the ping, so they are removed.
    pub(super) fn confirmed(&mut self) {
        for _ in 0..self.pinged {
            self.forget_first();
        }
        self.shrink();
    }

    /// Removes all events: only a client that has received the last of them can recover now.
    pub(super) fn give_up(&mut self) {
        while self.forget_first() {}
        self.shrink();
    }

    fn shrink(&mut self) {
        if self.entries.is_empty() {
            (self.entries, self.slots) = (VecDeque::new(), None);
        }
    }

    /// Whether all events after the one of this number are in the log; 0 stands for the start.
    pub(super) fn is_whole_after(&self, number: u64) -> bool {
        number == self.last_gone || self.place(number).is_some()
    }

    /// Searches from the end: a client has usually received most of the log.
    fn place(&self, number: u64) -> Option<usize> {
        let mut events = self.entries.iter().rev().flat_map(|entry| entry.parts().iter().rev()).take(self.len);
        let after_it = events.position(|event| event.number() == number)?;
        Some(self.len - 1 - after_it)
    }

    /// The events after the one of this number. Those up to it are removed.
    pub(super) fn after(&mut self, number: u64) -> impl Iterator<Item = &Arc<Frame>> {
        if let Some(place) = self.place(number) {
            for _ in 0..=place {
                self.forget_first();
            }
        }
        self.pinged = 0;
        self.entries.iter().flat_map(Frame::parts).skip(self.forgotten)
    }
}

fn size(frame: &Frame) -> usize {
    frame.wire(Protocol::V4).len()
}

#[cfg(test)]
mod tests {
    use super::{super::offset::Offsets, *};

    fn frames(count: usize) -> Vec<Arc<Frame>> {
        let offsets = Offsets::new();
        (0..count).map(|_| Frame::event("/", None, "[\"a\"]", Vec::new(), Some(&offsets))).collect()
    }

    fn numbers(log: &mut RecoveryLog, after: u64) -> Option<Vec<u64>> {
        log.is_whole_after(after).then(|| log.after(after).map(|frame| frame.number()).collect())
    }

    #[test]
    fn it_begins_where_the_client_stopped() {
        let mut log = RecoveryLog::default();
        for frame in frames(5) {
            log.push(&frame, 10, 1_000, &Account::unbounded());
        }
        assert_eq!(numbers(&mut log, 0), Some(vec![1, 2, 3, 4, 5]), "from the start");
        assert_eq!(numbers(&mut log, 3), Some(vec![4, 5]));
        assert_eq!(numbers(&mut log, 3), Some(vec![4, 5]), "again");
        assert_eq!(numbers(&mut log, 2), None, "forgotten by then");
        assert_eq!(numbers(&mut log, 0), None, "not whole any more");
        assert_eq!(numbers(&mut log, 9), None, "never sent");
    }

    #[test]
    fn it_is_bounded_and_never_has_a_hole() {
        let mut log = RecoveryLog::default();
        for frame in frames(5) {
            log.push(&frame, 3, 1_000, &Account::unbounded());
        }
        assert_eq!(numbers(&mut log, 1), None, "2 is gone");
        assert_eq!(numbers(&mut log, 2), Some(vec![3, 4, 5]));
        let mut small = RecoveryLog::default();
        for frame in frames(5) {
            let most_bytes = 2 * size(&frame);
            small.push(&frame, 100, most_bytes, &Account::unbounded());
        }
        assert_eq!(numbers(&mut small, 3), Some(vec![4, 5]));
    }

    #[test]
    fn events_that_were_joined_are_counted_recovered_and_forgotten_one_by_one() {
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
            let gone = 6 - most as u64;
            assert_eq!(numbers(&mut log, gone - 1), None, "{gone} is gone");
            assert_eq!(numbers(&mut log, gone), Some((gone + 1..=6).collect()));
        }
        let mut log = RecoveryLog::default();
        joined(&mut log, 4);
        log.pinged();
        joined(&mut log, 7);
        log.confirmed();
        assert_eq!((log.len, log.last_gone), (6, 6));
    }

    #[test]
    fn a_pong_confirms_what_was_sent_before_its_ping() {
        let mut log = RecoveryLog::default();
        let frames = frames(4);
        log.push(&frames[0], 10, 1_000, &Account::unbounded());
        log.push(&frames[1], 10, 1_000, &Account::unbounded());
        log.pinged();
        log.push(&frames[2], 10, 1_000, &Account::unbounded());
        log.confirmed();
        log.push(&frames[3], 10, 1_000, &Account::unbounded());
        assert_eq!(numbers(&mut log, 2), Some(vec![3, 4]));
        assert_eq!(numbers(&mut log, 1), None);
    }
}
