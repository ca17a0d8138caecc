//! What is measured: one file per kind of work.

mod acknowledged;
mod connects;
mod fan_out;
mod idle;
mod ledger;
mod rate;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::Subcommand;

use self::{acknowledged::Load, fan_out::FanOut};
use crate::{
    client::{Incoming, Swarm},
    dialect::{BULLETIN, Dialect, MESSAGE_SAVED},
    figures::Figures,
};

/// How long nothing may move before the run counts as stuck, which means that something is missing.
const STUCK: Duration = Duration::from_secs(10);
/// How many connections are opened at a time, where that is not what is measured.
const OPENING: usize = 64;
/// After the work: what arrives in this time arrives too often, and what the server does still counts.
const AFTERMATH: Duration = Duration::from_millis(300);

/// A server that runs.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// The events it speaks.
    pub dialect: Dialect,
}

/// What to measure.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Scenario {
    /// One sender to a room of many sockets: CPU per delivery received.
    FanOut(FanOut),
    /// The same at a fixed rate, each message alone: CPU per delivery received.
    Rate(rate::Rate),
    /// The same, but a backend emits with `POST /api/events`: CPU per delivery received.
    ApiEvents(FanOut),
    /// Events acknowledged with their payload: CPU per acknowledgement.
    Echo(Load),
    /// Acknowledged messages, each connection to a room of its own: CPU per acknowledgement.
    Send(Load),
    /// Connections opened up to CONNECT and closed again: CPU per connection.
    Connect(connects::Connects),
    /// Connections that do nothing: KiB of the server's memory per connection.
    Idle(idle::Idle),
}

impl Scenario {
    /// Measures, or says what voids the run.
    pub fn measure(&self, target: &Target) -> Result<Figures> {
        match self {
            Scenario::FanOut(fan_out) => fan_out.measure(target, fan_out::Sender::Socket, None),
            Scenario::Rate(rate) => rate.measure(target),
            Scenario::ApiEvents(fan_out) => fan_out.measure(target, fan_out::Sender::Backend, None),
            Scenario::Echo(load) => load.measure(target, acknowledged::Kind::Echo),
            Scenario::Send(load) => load.measure(target, acknowledged::Kind::Send),
            Scenario::Connect(connects) => connects.measure(target),
            Scenario::Idle(idle) => idle.measure(target),
        }
    }

    /// As the table names it.
    pub fn title(&self) -> String {
        match self {
            Scenario::FanOut(fan_out) => {
                format!("fan-out to {}, {} in flight", fan_out.sockets, fan_out.in_flight)
            }
            Scenario::Rate(rate) => {
                let evicted = if rate.evict > 0 { ", caches emptied between messages" } else { "" };
                format!("{} messages a second to {}, each alone{evicted}", rate.per_second, rate.sockets)
            }
            Scenario::ApiEvents(FanOut { sockets, in_flight, .. }) => {
                format!("`POST /api/events` to {sockets}, {in_flight} in flight; compare `fan-out-{sockets}`")
            }
            Scenario::Echo(load) => format!("echo, {} connections, {} in flight each", load.sockets, load.in_flight),
            Scenario::Send(load) => {
                let heard = if load.joined { ", heard by the sender itself" } else { "" };
                let Load { sockets, in_flight, .. } = load;
                format!("send, {sockets} connections, {in_flight} in flight each, to a room of its own{heard}")
            }
            Scenario::Connect(connects) => format!("connect, {} at a time", connects.at_a_time),
            Scenario::Idle(idle) => format!("idle, {} connections", idle.sockets),
        }
    }

    /// What a reader of the table must know of the servers' differences.
    pub fn note(&self) -> Option<&'static str> {
        match self {
            Scenario::Echo(_) => Some(
                "The binary has no `echo`: its row is an acknowledged `typing` of the same length, in a room that \
                 only the sender hears.",
            ),
            Scenario::ApiEvents(_) => Some(
                "To be compared with the same binary's fan-out to as many: there a socket sends, and each message is \
                 saved first. These are saved nowhere.",
            ),
            _ => None,
        }
    }

    /// What one unit costs, and in what.
    pub fn unit(&self) -> &'static str {
        match self {
            Scenario::FanOut(_) | Scenario::Rate(_) | Scenario::ApiEvents(_) => "µs per delivery",
            Scenario::Echo(_) | Scenario::Send(_) => "µs per acknowledgement",
            Scenario::Connect(_) => "µs per connect",
            Scenario::Idle(_) => "KiB per connection",
        }
    }
}

/// Fails when there was no progress for [`STUCK`].
struct Watch {
    progress: u64,
    moved: Instant,
}

impl Watch {
    fn new() -> Watch {
        Watch { progress: 0, moved: Instant::now() }
    }

    /// `progress` changes with everything that was waited for. Whatever else arrives, pings or presence, is none.
    fn check(&mut self, progress: u64, waiting_for: impl FnOnce() -> String) -> Result<()> {
        if progress != self.progress {
            (self.progress, self.moved) = (progress, Instant::now());
        } else if self.moved.elapsed() > STUCK {
            bail!("missing after {} s: {}", STUCK.as_secs(), waiting_for());
        }
        Ok(())
    }
}

/// Opens so many connections, lets each join the room that `room` names for it, and waits until all is quiet.
fn open(swarm: &mut Swarm, target: &Target, count: usize, room: impl Fn(usize) -> Option<String>) -> Result<()> {
    let (mut begun, mut done, mut watch, mut packet) = (0, 0, Watch::new(), Vec::new());
    while done < count {
        while begun < count && begun - done < OPENING {
            swarm.open(target.dialect.protocol())?;
            begun += 1;
        }
        swarm.turn(|conn, incoming, _| {
            match incoming {
                Incoming::Connected => match room(conn.index) {
                    Some(room) => {
                        target.dialect.write_join(&mut packet, &room);
                        conn.send(&packet);
                    }
                    None => done += 1,
                },
                Incoming::Ack { id: 0, args } => {
                    target.dialect.accepted(args)?;
                    done += 1;
                }
                Incoming::Event { name, args } => target.dialect.check_event(name, args)?,
                _ => bail!("unexpected answer while opening"),
            }
            Ok(())
        })?;
        watch.check(done as u64, || format!("{} of {count} connections", count - done))?;
    }
    quiet(swarm, target, Duration::from_millis(target.dialect.quiet_ms()))
}

/// Waits until nothing has arrived for so long.
fn quiet(swarm: &mut Swarm, target: &Target, long: Duration) -> Result<()> {
    let (began, mut heard) = (Instant::now(), Instant::now());
    while heard.elapsed() < long {
        if began.elapsed() > long + STUCK {
            bail!("the server does not become quiet");
        }
        // Pings are answered below this, and do not count.
        swarm.turn(|_, incoming, now| {
            heard = now;
            ignore(target, incoming)
        })?;
    }
    Ok(())
}

/// Keeps the connections alive for so long; nothing of what is measured may arrive.
fn linger(swarm: &mut Swarm, target: &Target, long: Duration) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < long {
        swarm.turn(|_, incoming, _| ignore(target, incoming))?;
    }
    Ok(())
}

/// Events that have nothing to do with the work are fine, unless they tell of an error.
fn ignore(target: &Target, incoming: Incoming<'_>) -> Result<()> {
    match incoming {
        Incoming::Event { name: MESSAGE_SAVED | BULLETIN, .. } => bail!("a message came that nobody waited for"),
        Incoming::Event { name, args } => target.dialect.check_event(name, args),
        Incoming::Ack { id, .. } => bail!("acknowledgement {id} came that nobody waited for"),
        _ => Ok(()),
    }
}
