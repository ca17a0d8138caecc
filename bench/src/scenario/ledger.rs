//! Checks deliveries: a lost, duplicated, reordered or truncated one is an error.

use std::{collections::VecDeque, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem::Finder;

use crate::{
    client::offset::{self, Trail},
    dialect,
};

/// The index of the sender, which is opened first.
pub const SENDER: usize = 0;

/// The state of all deliveries. Messages are numbered from 0 without gaps, so that one counter per socket detects a
/// loss, duplicate or reordering at the delivery where it occurs, with any number of messages in flight.
pub struct Ledger {
    receivers: Vec<Receiver>,
    next_ack: u64,
    /// The messages in flight, in order; the first one is number `oldest`.
    pending: VecDeque<Pending>,
    oldest: u64,
    /// Deliveries and acknowledgements so far.
    pub settled: u64,
    find_text: Finder<'static>,
}

#[derive(Default)]
struct Receiver {
    /// The number of the next message for each receiver.
    expected: u64,
    offsets: Trail,
}

struct Pending {
    sent_at: Instant,
    /// The bytes that the first receiver got; the others must get the same.
    payload: Vec<u8>,
    /// Receivers without it, plus one for a missing acknowledgement.
    missing: usize,
}

impl Ledger {
    /// For this many receivers of messages that contain this text.
    pub fn new(receivers: usize, text: &str) -> Ledger {
        Ledger {
            receivers: (0..=receivers).map(|_| Receiver::default()).collect(),
            next_ack: 0,
            pending: VecDeque::new(),
            oldest: 0,
            settled: 0,
            find_text: Finder::new(text.as_bytes()).into_owned(),
        }
    }

    /// Adds a message and returns its number.
    pub fn sent(&mut self, now: Instant) -> u64 {
        self.pending.push_back(Pending { sent_at: now, payload: Vec::new(), missing: self.receivers.len() });
        self.next_to_send() - 1
    }

    /// The number of messages in flight.
    pub fn under_way(&self) -> usize {
        self.pending.len()
    }

    fn next_to_send(&self) -> u64 {
        self.oldest + self.pending.len() as u64
    }

    /// Records a delivery and returns when the message was sent. Fails unless it is the next one for this socket,
    /// complete.
    pub fn received(&mut self, socket: usize, args: &[u8]) -> Result<Instant> {
        ensure!(socket != SENDER, "the sender received a message of a room it has not joined");
        let (payload, offset) = offset::split(args);
        let expected = self.receivers[socket].expected;
        let place = usize::try_from(expected - self.oldest)?;
        let known = self.pending.get(place).map(|pending| pending.payload.as_slice());
        if known != Some(payload) {
            let n = dialect::number(payload)?;
            ensure!(n == expected, "socket {socket} received message {n} where {expected} was next");
            let whole = known == Some(&[]) && self.find_text.find(payload).is_some();
            ensure!(whole, "socket {socket} received message {n} as {}", String::from_utf8_lossy(payload));
            self.pending[place].payload.extend_from_slice(payload);
        }
        let receiver = &mut self.receivers[socket];
        receiver.offsets.follow(offset).with_context(|| format!("socket {socket}, message {expected}"))?;
        receiver.expected += 1;
        self.settle(expected)
    }

    /// At the end: checks that every receiver has all messages, and the sender all acknowledgements.
    pub fn check_complete(&self) -> Result<()> {
        let sent = self.next_to_send();
        ensure!(self.next_ack == sent, "{} of {sent} messages were acknowledged", self.next_ack);
        for (socket, receiver) in self.receivers.iter().enumerate().filter(|(socket, _)| *socket != SENDER) {
            ensure!(receiver.expected == sent, "socket {socket} has {} of {sent} messages", receiver.expected);
        }
        Ok(())
    }

    /// Records an acknowledgement, which must be for the next message.
    pub fn acknowledged(&mut self, n: u64) -> Result<()> {
        ensure!(n == self.next_ack, "message {n} was acknowledged where {} was next", self.next_ack);
        self.next_ack += 1;
        self.settle(n).map(drop)
    }

    fn settle(&mut self, n: u64) -> Result<Instant> {
        let place = n.checked_sub(self.oldest).and_then(|place| usize::try_from(place).ok());
        let pending = place.and_then(|place| self.pending.get_mut(place));
        let Some(pending) = pending else { bail!("message {n} was never sent") };
        pending.missing -= 1;
        self.settled += 1;
        let sent_at = pending.sent_at;
        while self.pending.front().is_some_and(|first| first.missing == 0) {
            self.pending.pop_front();
            self.oldest += 1;
        }
        Ok(sent_at)
    }

    /// Deliveries and acknowledgements still expected.
    pub fn missing(&self) -> String {
        let missing: usize = self.pending.iter().map(|pending| pending.missing).sum();
        format!("{missing} deliveries or acknowledgements of {} messages", self.pending.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "some text";

    fn delivery(n: u64) -> Vec<u8> {
        format!(r#"{{"text":"{TEXT}","n":{n}}}]"#).into_bytes()
    }

    fn recoverable(n: u64) -> Vec<u8> {
        format!(r#"{{"text":"{TEXT}","n":{n}}},"tag.{}"]"#, 7 * n + 1).into_bytes()
    }

    fn ledger(receivers: usize, sent: u64) -> Ledger {
        let mut ledger = Ledger::new(receivers, TEXT);
        for n in 0..sent {
            assert_eq!(ledger.sent(Instant::now()), n);
        }
        ledger
    }

    #[test]
    fn a_message_is_over_when_all_have_it_and_the_sender_knows() {
        let mut ledger = ledger(2, 2);
        ledger.received(1, &delivery(0)).unwrap();
        ledger.received(1, &delivery(1)).unwrap();
        ledger.acknowledged(0).unwrap();
        assert_eq!(ledger.pending.len(), 2);
        ledger.received(2, &delivery(0)).unwrap();
        assert_eq!((ledger.pending.len(), ledger.oldest), (1, 1));
        assert!(ledger.check_complete().is_err());
        ledger.received(2, &delivery(1)).unwrap();
        ledger.acknowledged(1).unwrap();
        ledger.check_complete().unwrap();
    }

    #[test]
    fn a_missing_a_doubled_and_an_unsent_message_are_errors() {
        assert!(ledger(2, 2).received(1, &delivery(1)).is_err());
        let mut ledger = ledger(2, 2);
        ledger.received(1, &delivery(0)).unwrap();
        assert!(ledger.received(1, &delivery(0)).is_err());
        ledger.received(1, &delivery(1)).unwrap();
        assert!(ledger.received(1, &delivery(2)).is_err());
        assert!(ledger.acknowledged(1).is_err());
        assert!(ledger.received(SENDER, &delivery(0)).is_err());
    }

    #[test]
    fn with_512_under_way_one_wrong_delivery_of_one_socket_is_found() {
        let (receivers, sent) = (200, 512);
        for write in [delivery, recoverable] {
            let right: Vec<u64> = (0..sent).collect();
            let (mut lost, mut doubled, mut swapped) = (right.clone(), right.clone(), right.clone());
            lost.remove(300);
            doubled.insert(301, 300);
            swapped.swap(300, 301);
            for wrong in [lost, doubled, swapped] {
                let mut ledger = ledger(receivers, sent);
                let mut deliver = |socket: usize, numbers: &[u64]| {
                    numbers.iter().try_for_each(|n| ledger.received(socket, &write(*n)).map(drop))
                };
                (1..receivers).for_each(|socket| deliver(socket, &right).unwrap());
                assert!(deliver(receivers, &wrong).is_err());
            }
            // The loss of the last message is not revealed by a later one.
            let mut ledger = ledger(1, sent);
            for n in 0..sent - 1 {
                ledger.received(1, &write(n)).unwrap();
                ledger.acknowledged(n).unwrap();
            }
            ledger.acknowledged(sent - 1).unwrap();
            assert_eq!(ledger.pending.len(), 1, "the run goes on, until it is stuck");
            assert!(ledger.check_complete().is_err());
        }
    }

    #[test]
    fn all_receive_the_same_and_it_is_what_was_sent() {
        let mut ledger = ledger(2, 1);
        assert!(ledger.received(1, br#"{"text":"other text","n":0}]"#).is_err());
        ledger.received(1, &recoverable(0)).unwrap();
        assert!(ledger.received(2, br#"{"text":"some text!","n":0}]"#).is_err());
        ledger.received(2, &delivery(0)).unwrap();
    }

    #[test]
    fn an_offset_that_goes_back_is_an_error() {
        let mut ledger = ledger(1, 2);
        ledger.received(1, br#"{"text":"some text","n":0},"tag.5"]"#).unwrap();
        assert!(ledger.received(1, br#"{"text":"some text","n":1},"tag.4"]"#).is_err());
    }
}
