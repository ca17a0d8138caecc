//! Events with acknowledgement: echoes, and messages to rooms with one member.

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
    dialect::{self, Dialect, Echo, MESSAGE_SAVED, PAGE},
    figures::{Figures, Meter, micros},
};

/// How long messages are saved before they are read.
const SAVING: Duration = Duration::from_secs(1);

/// The event to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An echo: an event acknowledged with its arguments, or its substitute.
    Echo(Echo),
    /// A message to the connection's own room.
    Send,
    /// A page of the room's history, which was saved before.
    Page,
    /// The newest messages of the room, by a `since` that is as far back.
    CatchUp,
}

/// Connections that each keep a number of events in flight.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Load {
    /// The number of connections.
    #[arg(long, default_value_t = 50)]
    pub sockets: usize,
    /// The number of unacknowledged events per connection.
    #[arg(long, default_value_t = 8)]
    pub in_flight: usize,
    /// Bytes of text in each event, or of its attachment.
    #[arg(long, default_value_t = 100)]
    pub text: usize,
    /// How long to send, after a warm-up of the same length.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// `send` only: each connection joins its room first, and also receives its own messages.
    #[arg(long)]
    pub joined: bool,
}

impl Load {
    pub(super) fn measure(&self, target: &Target, kind: Kind) -> Result<Figures> {
        let is_possible = target.dialect == Dialect::Peer || matches!(kind, Kind::Echo(Echo::Plain) | Kind::Send);
        let reads = matches!(kind, Kind::Page | Kind::CatchUp);
        ensure!(is_possible || reads, "only servers with the events of the peers have this echo");
        ensure!(!reads || target.dialect == Dialect::Sockeye, "only the binary has messages to read");
        let hears_itself = self.joined && kind == Kind::Send;
        let joins = hears_itself || (matches!(kind, Kind::Echo(_)) && !target.dialect.has_echoes());
        let mut swarm = Swarm::new(target.address)?;
        open(&mut swarm, target, self.sockets, |index| joins.then(|| room(index)))?;
        let mut senders = Senders::new(self, kind, hears_itself, *target);
        if reads {
            let mut saving = Senders::new(self, Kind::Send, false, *target);
            saving.run(&mut swarm, SAVING)?;
            for (sender, saved) in senders.senders.iter_mut().zip(saving.senders) {
                sender.saved = saved.next;
            }
        }
        senders.run(&mut swarm, Duration::from_secs_f64(self.seconds))?;
        senders.latencies.clear();
        let mut meter = Meter::start(target.pid)?;
        senders.run(&mut swarm, Duration::from_secs_f64(self.seconds))?;
        meter.stop();
        linger(&mut swarm, target, AFTERMATH)?;
        meter.finish(senders.latencies)
    }
}

fn room(index: usize) -> String {
    format!("own-{index}")
}

struct Senders {
    target: Target,
    kind: Kind,
    in_flight: usize,
    text: String,
    find_text: Finder<'static>,
    packet: Vec<u8>,
    /// The arguments of an echo.
    args: Vec<u8>,
    senders: Vec<Sender>,
    /// Acknowledgements still expected, and deliveries if connections receive their own messages.
    missing: usize,
    /// The number received so far.
    arrived: u64,
    hears_itself: bool,
    latencies: Vec<u32>,
}

struct Sender {
    room: String,
    /// Messages that were saved for [`Kind::Page`] and [`Kind::CatchUp`].
    saved: u64,
    next: u64,
    /// Send times of unacknowledged events, the oldest first.
    unacknowledged: VecDeque<Instant>,
    heard: u64,
    offsets: Trail,
}

impl Senders {
    fn new(load: &Load, kind: Kind, hears_itself: bool, target: Target) -> Senders {
        let text = dialect::filler(load.text);
        let sender = |index| Sender {
            room: room(index),
            saved: 0,
            next: 0,
            unacknowledged: VecDeque::new(),
            heard: 0,
            offsets: Trail::default(),
        };
        Senders {
            target,
            kind,
            in_flight: load.in_flight,
            find_text: Finder::new(text.as_bytes()).into_owned(),
            text,
            packet: Vec::new(),
            args: Vec::new(),
            senders: (0..load.sockets).map(sender).collect(),
            missing: 0,
            arrived: 0,
            hears_itself,
            latencies: Vec::new(),
        }
    }

    /// Sends for this long, then waits for the last acknowledgement.
    fn run(&mut self, swarm: &mut Swarm, long: Duration) -> Result<()> {
        let (until, mut watch) = (Instant::now() + long, Watch::new());
        for conn in swarm.iter_mut() {
            for _ in 0..self.in_flight {
                self.send(conn, Instant::now());
            }
        }
        swarm.flush()?;
        while self.missing > 0 {
            swarm.turn(|conn, incoming, now| self.hear(conn, incoming, now, until))?;
            watch.check(self.arrived, || format!("{} answers", self.missing))?;
        }
        Ok(())
    }

    fn send(&mut self, conn: &mut Conn, now: Instant) {
        let sender = &mut self.senders[conn.index];
        let (n, id) = (sender.next, sender.next + 1);
        let dialect = self.target.dialect;
        match self.kind {
            Kind::Echo(echo) if dialect.has_echoes() => {
                dialect::write_echo_args(&mut self.args, echo, &self.text, n);
                dialect::write_echo(&mut self.packet, echo, id, &self.args);
            }
            Kind::Echo(_) => dialect.write_typing(&mut self.packet, id, &sender.room, &self.text, n),
            Kind::Send => dialect.write_message(&mut self.packet, id, &sender.room, &self.text, n),
            Kind::Page => {
                // Any page of the history, but the whole of one.
                let before = PAGE + 1 + n * 7_919 % sender.saved.saturating_sub(PAGE).max(1);
                dialect.write_page(&mut self.packet, id, &sender.room, before);
            }
            Kind::CatchUp => {
                dialect.write_catch_up(&mut self.packet, id, &sender.room, sender.saved.saturating_sub(PAGE));
            }
        }
        conn.send(&self.packet);
        if self.kind == Kind::Echo(Echo::Binary) {
            conn.send_attachment(&dialect::attachment(self.text.len(), n));
        }
        sender.next += 1;
        sender.unacknowledged.push_back(now);
        self.missing += 1 + usize::from(self.hears_itself);
    }

    fn hear(&mut self, conn: &mut Conn, incoming: Incoming<'_>, now: Instant, until: Instant) -> Result<()> {
        let (id, args, attachment) = match incoming {
            Incoming::Ack { id, args } => (id, args, None),
            Incoming::BinaryAck { id, args, attachment } => (id, args, Some(attachment)),
            Incoming::Event { name: MESSAGE_SAVED, args } => return self.heard(conn.index, args),
            other => return ignore(&self.target, other),
        };
        let sent_at = self.acknowledged(conn.index, id, args, attachment)?;
        self.latencies.push(micros(sent_at, now));
        if now < until {
            self.send(conn, now);
        }
        Ok(())
    }

    fn acknowledged(&mut self, index: usize, id: u64, args: &[u8], attachment: Option<&[u8]>) -> Result<Instant> {
        let sender = &mut self.senders[index];
        let oldest = sender.next - sender.unacknowledged.len() as u64;
        let Some(sent_at) = sender.unacknowledged.pop_front() else {
            bail!("socket {index}: acknowledgement {id} came twice");
        };
        ensure!(id == oldest + 1, "socket {index}: acknowledgement {id} where {} was next", oldest + 1);
        let dialect = self.target.dialect;
        let whole = match self.kind {
            Kind::Echo(echo) if dialect.has_echoes() => {
                dialect::write_echo_args(&mut self.args, echo, &self.text, oldest);
                let expected = (echo == Echo::Binary).then(|| dialect::attachment(self.text.len(), oldest));
                args == self.args && attachment == expected.as_deref()
            }
            Kind::Echo(_) => dialect.accepted(args).map(|()| attachment.is_none())?,
            Kind::Send => {
                let returned = dialect.saved_number(args)?;
                returned.is_none_or(|n| n == oldest && self.find_text.find(args).is_some()) && attachment.is_none()
            }
            Kind::Page | Kind::CatchUp => dialect.message_count(args)? as u64 == PAGE,
        };
        ensure!(whole, "socket {index}: message {oldest} came back as {}", String::from_utf8_lossy(args));
        self.missing -= 1;
        self.arrived += 1;
        Ok(sent_at)
    }

    fn heard(&mut self, index: usize, args: &[u8]) -> Result<()> {
        let (payload, offset) = offset::split(args);
        let (sender, n) = (&mut self.senders[index], dialect::number(payload)?);
        let expected = self.hears_itself && n == sender.heard && n < sender.next;
        ensure!(expected, "socket {index} received message {n} where {} was next", sender.heard);
        let whole = self.find_text.find(payload).is_some();
        ensure!(whole, "socket {index} received message {n} as {}", String::from_utf8_lossy(payload));
        sender.offsets.follow(offset).with_context(|| format!("socket {index}, message {n}"))?;
        sender.heard += 1;
        self.missing -= 1;
        self.arrived += 1;
        Ok(())
    }
}
