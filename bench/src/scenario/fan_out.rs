//! One sender, a room of many: every receiver gets every message exactly once and in order.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use memchr::memmem::Finder;

use super::{AFTERMATH, Target, Watch, ignore, linger, open};
use crate::{
    client::{
        Conn, Incoming, Swarm,
        offset::{self, Trail},
    },
    dialect::{self, MESSAGE_SAVED},
    figures::{Figures, Meter, micros},
};

const ROOM: &str = "fan-out";

/// One sender to a room of many sockets.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct FanOut {
    /// How many sockets are in the room; the sender is not.
    #[arg(long, default_value_t = 1000)]
    pub sockets: usize,
    /// How many messages may be under way, each until the last receiver has it and the sender its acknowledgement.
    #[arg(long, default_value_t = 8)]
    pub in_flight: usize,
    /// Bytes of text in each message.
    #[arg(long, default_value_t = 100)]
    pub text: usize,
    /// How long to send, after a warm-up as long.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
}

impl FanOut {
    pub(super) fn measure(&self, target: &Target) -> Result<Figures> {
        let mut swarm = Swarm::new(target.address)?;
        open(&mut swarm, target, 1, |_| None)?;
        open(&mut swarm, target, self.sockets, |_| Some(ROOM.into()))?;
        let mut room = Room::new(self, *target);
        room.run(&mut swarm, Duration::from_secs_f64(self.seconds))?;
        room.latencies.clear();
        let mut meter = Meter::start(target.pid)?;
        room.run(&mut swarm, Duration::from_secs_f64(self.seconds))?;
        meter.stop();
        linger(&mut swarm, target, AFTERMATH)?;
        room.ledger.check_complete()?;
        meter.finish(room.latencies)
    }
}

/// The sender opened first.
const SENDER: usize = 0;

struct Room {
    target: Target,
    in_flight: usize,
    text: String,
    packet: Vec<u8>,
    ledger: Ledger,
    latencies: Vec<u32>,
}

impl Room {
    fn new(spec: &FanOut, target: Target) -> Room {
        let text = dialect::filler(spec.text);
        let ledger = Ledger::new(spec.sockets, &text);
        Room { target, in_flight: spec.in_flight, text, packet: Vec::new(), ledger, latencies: Vec::new() }
    }

    /// Sends for so long, then waits for the last delivery.
    fn run(&mut self, swarm: &mut Swarm, long: Duration) -> Result<()> {
        let (until, mut watch) = (Instant::now() + long, Watch::new());
        loop {
            self.send(swarm.conn(SENDER)?, until)?;
            if self.ledger.pending.is_empty() {
                return Ok(());
            }
            swarm.turn(|conn, incoming, now| self.hear(conn, incoming, now))?;
            watch.check(self.ledger.settled, || self.ledger.missing())?;
        }
    }

    /// Fills what may be under way, in one write.
    fn send(&mut self, sender: &mut Conn, until: Instant) -> Result<()> {
        let now = Instant::now();
        while now < until && self.ledger.pending.len() < self.in_flight {
            let n = self.ledger.sent(now);
            // Acknowledgement 0 was the join's.
            dialect::write_message(&mut self.packet, n + 1, ROOM, &self.text, n);
            sender.send(&self.packet);
        }
        sender.flush()
    }

    fn hear(&mut self, conn: &mut Conn, incoming: Incoming<'_>, now: Instant) -> Result<()> {
        match incoming {
            Incoming::Event { name: MESSAGE_SAVED, args } => {
                let sent_at = self.ledger.received(conn.index, args)?;
                self.latencies.push(micros(sent_at, now));
                Ok(())
            }
            Incoming::Ack { id, args } => {
                let n = self.target.dialect.saved_number(args)?;
                ensure!(n.is_none_or(|n| n + 1 == id), "acknowledgement {id} holds message {n:?}");
                self.ledger.acknowledged(id.wrapping_sub(1))
            }
            other => ignore(&self.target, other),
        }
    }
}

/// Who has received what. Numbers begin with 0 and leave none out, so that one counter for each socket finds what is
/// lost, doubled or out of order, at the delivery where it happens and however much is under way.
struct Ledger {
    receivers: Vec<Receiver>,
    next_ack: u64,
    /// Those under way, the oldest first, which is number `oldest`.
    pending: VecDeque<Pending>,
    oldest: u64,
    /// Deliveries and acknowledgements so far.
    settled: u64,
    find_text: Finder<'static>,
}

#[derive(Default)]
struct Receiver {
    /// What it must receive next.
    expected: u64,
    offsets: Trail,
}

struct Pending {
    sent_at: Instant,
    /// As its first receiver got it: the others must get the same bytes.
    payload: Vec<u8>,
    /// Receivers that do not have it, and one for the acknowledgement.
    missing: usize,
}

impl Ledger {
    fn new(receivers: usize, text: &str) -> Ledger {
        Ledger {
            receivers: (0..=receivers).map(|_| Receiver::default()).collect(),
            next_ack: 0,
            pending: VecDeque::new(),
            oldest: 0,
            settled: 0,
            find_text: Finder::new(text.as_bytes()).into_owned(),
        }
    }

    /// Gives a message its number.
    fn sent(&mut self, now: Instant) -> u64 {
        self.pending.push_back(Pending { sent_at: now, payload: Vec::new(), missing: self.receivers.len() });
        self.next_to_send() - 1
    }

    fn next_to_send(&self) -> u64 {
        self.oldest + self.pending.len() as u64
    }

    /// A delivery; returns when it was sent. Fails unless it is the very next one of this socket, whole.
    fn received(&mut self, socket: usize, args: &[u8]) -> Result<Instant> {
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

    /// After the work: every receiver has all that was sent, and the sender as many acknowledgements.
    fn check_complete(&self) -> Result<()> {
        let sent = self.next_to_send();
        ensure!(self.next_ack == sent, "{} of {sent} messages were acknowledged", self.next_ack);
        for (socket, receiver) in self.receivers.iter().enumerate().filter(|(socket, _)| *socket != SENDER) {
            ensure!(receiver.expected == sent, "socket {socket} has {} of {sent} messages", receiver.expected);
        }
        Ok(())
    }

    fn acknowledged(&mut self, n: u64) -> Result<()> {
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

    fn missing(&self) -> String {
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
            // The last one is missed by nothing that comes after it.
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
