//! One sender, a room of many: every receiver gets every message exactly once and in order.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::Args;

use super::{AFTERMATH, Target, Watch, ignore, linger, open};
use crate::{
    client::{Conn, Incoming, Swarm},
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
        let ledger = Ledger::new(spec.sockets);
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
            let moved = swarm.turn(|conn, incoming, now| self.hear(conn, incoming, now))?;
            watch.check(moved, || self.ledger.missing())?;
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
                let sent_at = self.ledger.received(conn.index, dialect::number(args)?)?;
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

/// Who has received what.
struct Ledger {
    /// What each socket must receive next.
    expected: Vec<u64>,
    next_ack: u64,
    /// Those under way, the oldest first, which is number `oldest`.
    pending: VecDeque<Pending>,
    oldest: u64,
}

struct Pending {
    sent_at: Instant,
    /// Receivers that do not have it, and one for the acknowledgement.
    missing: usize,
}

impl Ledger {
    fn new(receivers: usize) -> Ledger {
        Ledger { expected: vec![0; receivers + 1], next_ack: 0, pending: VecDeque::new(), oldest: 0 }
    }

    /// Gives a message its number.
    fn sent(&mut self, now: Instant) -> u64 {
        self.pending.push_back(Pending { sent_at: now, missing: self.expected.len() });
        self.oldest + self.pending.len() as u64 - 1
    }

    /// A delivery; returns when it was sent. Fails unless it is the very next one of this socket.
    fn received(&mut self, socket: usize, n: u64) -> Result<Instant> {
        ensure!(socket != SENDER, "the sender received a message of a room it has not joined");
        let expected = self.expected[socket];
        ensure!(n == expected, "socket {socket} received message {n} where {expected} was next");
        self.expected[socket] += 1;
        self.settle(n)
    }

    fn acknowledged(&mut self, n: u64) -> Result<()> {
        ensure!(n == self.next_ack, "message {n} was acknowledged where {} was next", self.next_ack);
        self.next_ack += 1;
        self.settle(n).map(drop)
    }

    fn settle(&mut self, n: u64) -> Result<Instant> {
        let place = n.checked_sub(self.oldest).and_then(|place| usize::try_from(place).ok());
        let pending = place.and_then(|place| self.pending.get_mut(place));
        let Some(pending) = pending else { anyhow::bail!("message {n} was never sent") };
        pending.missing -= 1;
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

    fn ledger_after_two_sends() -> Ledger {
        let mut ledger = Ledger::new(2);
        assert_eq!((ledger.sent(Instant::now()), ledger.sent(Instant::now())), (0, 1));
        ledger
    }

    #[test]
    fn a_message_is_over_when_all_have_it_and_the_sender_knows() {
        let mut ledger = ledger_after_two_sends();
        ledger.received(1, 0).unwrap();
        ledger.received(1, 1).unwrap();
        ledger.acknowledged(0).unwrap();
        assert_eq!(ledger.pending.len(), 2);
        ledger.received(2, 0).unwrap();
        assert_eq!((ledger.pending.len(), ledger.oldest), (1, 1));
    }

    #[test]
    fn a_missing_a_doubled_and_an_unsent_message_are_errors() {
        assert!(ledger_after_two_sends().received(1, 1).is_err());
        let mut ledger = ledger_after_two_sends();
        ledger.received(1, 0).unwrap();
        assert!(ledger.received(1, 0).is_err());
        ledger.received(1, 1).unwrap();
        assert!(ledger.received(1, 2).is_err());
        assert!(ledger.acknowledged(1).is_err());
        assert!(ledger.received(SENDER, 0).is_err());
    }
}
