//! One sender and a large room: every receiver gets every message exactly once and in order.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;

use super::{
    AFTERMATH, Target, Watch, ignore,
    ledger::{Ledger, SENDER},
    linger, open,
    pace::Pace,
};
use crate::{
    client::{Conn, Incoming, Protocol, Swarm},
    dialect::{self, BULLETIN, MESSAGE_SAVED},
    figures::{Figures, Meter, micros},
};

const ROOM: &str = "fan-out";

/// The sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A client like the receivers.
    Socket,
    /// A backend, over one HTTP connection.
    Backend,
}

/// One sender to a room of many sockets.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct FanOut {
    /// The number of sockets in the room, without the sender.
    #[arg(long, default_value_t = 1000)]
    pub sockets: usize,
    /// The number of messages in flight: not yet received by all receivers and acknowledged.
    #[arg(long, default_value_t = 8)]
    pub in_flight: usize,
    /// Bytes of text in each message.
    #[arg(long, default_value_t = 100)]
    pub text: usize,
    /// How long to send, after a warm-up of the same length.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
}

impl FanOut {
    /// Sends as fast as the messages in flight allow, or at the rate of `pace`.
    pub(super) fn measure(&self, target: &Target, sender: Sender, pace: Option<Pace>) -> Result<Figures> {
        let mut swarm = Swarm::new(target.address)?;
        match sender {
            Sender::Socket => open(&mut swarm, target, 1, |_| None)?,
            Sender::Backend => swarm.open(Protocol::Http)?,
        }
        open(&mut swarm, target, self.sockets, |_| Some(ROOM.into()))?;
        let mut room = Room::new(self, sender, *target, pace);
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

struct Room {
    target: Target,
    sender: Sender,
    pace: Option<Pace>,
    receivers: u64,
    in_flight: usize,
    text: String,
    packet: Vec<u8>,
    ledger: Ledger,
    latencies: Vec<u32>,
}

impl Room {
    fn new(spec: &FanOut, sender: Sender, target: Target, pace: Option<Pace>) -> Room {
        let text = dialect::filler(spec.text);
        Room {
            target,
            sender,
            pace,
            receivers: spec.sockets as u64,
            in_flight: spec.in_flight,
            ledger: Ledger::new(spec.sockets, &text),
            text,
            packet: Vec::new(),
            latencies: Vec::new(),
        }
    }

    /// Sends for this long, then waits for the last delivery.
    fn run(&mut self, swarm: &mut Swarm, long: Duration) -> Result<()> {
        let (until, mut watch) = (Instant::now() + long, Watch::new());
        loop {
            self.send(swarm.conn(SENDER)?, until)?;
            if self.ledger.under_way() == 0 && Instant::now() >= until {
                return Ok(());
            }
            swarm.turn(|conn, incoming, now| self.hear(conn, incoming, now))?;
            watch.check(self.ledger.settled, || self.ledger.missing())?;
        }
    }

    /// Sends messages up to the limit in flight, in one write; with a pace, only if one is due.
    fn send(&mut self, sender: &mut Conn, until: Instant) -> Result<()> {
        let now = Instant::now();
        while now < until && self.ledger.under_way() < self.in_flight {
            if !self.pace.as_mut().map_or(Ok(true), |pace| pace.is_due(now))? {
                break;
            }
            let n = self.ledger.sent(now);
            match self.sender {
                // Acknowledgement 0 belongs to the join.
                Sender::Socket => {
                    self.target.dialect.write_message(&mut self.packet, n + 1, ROOM, &self.text, n);
                }
                Sender::Backend => dialect::write_bulletin(&mut self.packet, ROOM, &self.text, n),
            }
            sender.send(&self.packet);
        }
        sender.flush()
    }

    fn hear(&mut self, conn: &mut Conn, incoming: Incoming<'_>, now: Instant) -> Result<()> {
        let delivery = match self.sender {
            Sender::Socket => MESSAGE_SAVED,
            Sender::Backend => BULLETIN,
        };
        match incoming {
            Incoming::Event { name, args } if name == delivery => {
                let sent_at = self.ledger.received(conn.index, args)?;
                self.latencies.push(micros(sent_at, now));
                Ok(())
            }
            Incoming::Ack { id, args } => {
                self.check_answer(id, args)?;
                self.ledger.acknowledged(id.wrapping_sub(1))
            }
            other => ignore(&self.target, other),
        }
    }

    fn check_answer(&self, id: u64, args: &[u8]) -> Result<()> {
        match self.sender {
            Sender::Socket => {
                let n = self.target.dialect.saved_number(args)?;
                ensure!(n.is_none_or(|n| n + 1 == id), "acknowledgement {id} holds message {n:?}");
            }
            Sender::Backend => {
                let all = dialect::delivered(args) == Some(self.receivers);
                ensure!(all, "request {id} was answered {}", String::from_utf8_lossy(args));
            }
        }
        Ok(())
    }
}
