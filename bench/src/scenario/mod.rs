//! The scenarios: one file per kind of work.

mod acknowledged;
mod connects;
mod fan_out;
mod idle;
mod ledger;
mod pace;
mod rate;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::Subcommand;

use self::{
    acknowledged::{Kind, Load},
    fan_out::FanOut,
};
use crate::{
    client::{Incoming, Swarm},
    dialect::{BULLETIN, Dialect, Echo, MESSAGE_SAVED, PAGE},
    figures::Figures,
};

/// How long a run may make no progress before it counts as stuck.
const STUCK: Duration = Duration::from_secs(10);
/// The number of connections opened at the same time, where that is not measured.
const OPENING: usize = 64;
/// A pause after the work: deliveries in it are duplicates, and the server's CPU in it still counts.
const AFTERMATH: Duration = Duration::from_millis(300);

/// A running server.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The address.
    pub address: SocketAddr,
    /// The process.
    pub pid: u32,
    /// The dialect.
    pub dialect: Dialect,
}

/// The scenarios.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Scenario {
    /// One sender to a room of many sockets: CPU per delivery.
    FanOut(FanOut),
    /// The same at a fixed rate, one message at a time: CPU per delivery.
    Rate(rate::Rate),
    /// The same, with a backend that emits by `POST /api/events`: CPU per delivery.
    ApiEvents(FanOut),
    /// Echoes: CPU per acknowledgement.
    Echo(Load),
    /// Echoes by a catch-all, of a server started with `--catch-all`: CPU per acknowledgement.
    EchoAny(Load),
    /// Echoes of three arguments: CPU per acknowledgement.
    EchoArgs(Load),
    /// Echoes of a binary attachment: CPU per acknowledgement.
    EchoBinary(Load),
    /// Acknowledged messages, each connection to a separate room: CPU per acknowledgement.
    Send(Load),
    /// Pages of 50 messages, anywhere in the history of each connection's room: CPU per acknowledgement.
    Page(Load),
    /// The newest 50 messages of each connection's room, by revision: CPU per acknowledgement.
    CatchUp(Load),
    /// Connections opened up to CONNECT and closed again: CPU per connection.
    Connect(connects::Connects),
    /// Idle connections: KiB of the server's memory per connection.
    Idle(idle::Idle),
}

impl Scenario {
    /// Measures the scenario; an error voids the run.
    pub fn measure(&self, target: &Target) -> Result<Figures> {
        match self {
            Scenario::FanOut(fan_out) => fan_out.measure(target, fan_out::Sender::Socket, None),
            Scenario::Rate(rate) => rate.measure(target),
            Scenario::ApiEvents(fan_out) => fan_out.measure(target, fan_out::Sender::Backend, None),
            Scenario::Echo(load) => load.measure(target, Kind::Echo(Echo::Plain)),
            Scenario::EchoAny(load) => load.measure(target, Kind::Echo(Echo::CatchAll)),
            Scenario::EchoArgs(load) => load.measure(target, Kind::Echo(Echo::Arguments)),
            Scenario::EchoBinary(load) => load.measure(target, Kind::Echo(Echo::Binary)),
            Scenario::Send(load) => load.measure(target, Kind::Send),
            Scenario::Page(load) => load.measure(target, Kind::Page),
            Scenario::CatchUp(load) => load.measure(target, Kind::CatchUp),
            Scenario::Connect(connects) => connects.measure(target),
            Scenario::Idle(idle) => idle.measure(target),
        }
    }

    /// The description in the table.
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
            Scenario::Echo(load) => format!("echo{}", of_each(load)),
            Scenario::EchoAny(load) => format!("echo by a catch-all{}", of_each(load)),
            Scenario::EchoArgs(load) => format!("echo of three arguments{}", of_each(load)),
            Scenario::EchoBinary(load) => format!("echo of {} bytes of binary{}", load.text, of_each(load)),
            Scenario::Send(load) => {
                let heard = if load.joined { ", heard by the sender itself" } else { "" };
                format!("send{}, to a room of its own{heard}", of_each(load))
            }
            Scenario::Page(load) => format!("pages of {PAGE} messages{}", of_each(load)),
            Scenario::CatchUp(load) => format!("catching up with {PAGE} messages{}", of_each(load)),
            Scenario::Connect(connects) => format!("connect, {} at a time", connects.at_a_time),
            Scenario::Idle(idle) => format!("idle, {} connections", idle.sockets),
        }
    }

    /// Differences between the servers that a reader of the table must know.
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

    /// Whether only the binary can do it.
    pub fn is_of_the_binary(&self) -> bool {
        matches!(self, Scenario::ApiEvents(_) | Scenario::Page(_) | Scenario::CatchUp(_))
    }

    /// Whether its cost is compared with that of [`Scenario::Echo`].
    pub fn is_variant_of_echo(&self) -> bool {
        matches!(self, Scenario::EchoAny(_) | Scenario::EchoArgs(_) | Scenario::EchoBinary(_))
    }

    /// More arguments, with which the server is started.
    pub fn server_arguments(&self) -> &'static [&'static str] {
        if matches!(self, Scenario::EchoAny(_)) { &["--catch-all"] } else { &[] }
    }

    /// The cost of one unit, with its unit of measure.
    pub fn unit(&self) -> &'static str {
        match self {
            Scenario::FanOut(_) | Scenario::Rate(_) | Scenario::ApiEvents(_) => "µs per delivery",
            Scenario::Echo(_)
            | Scenario::EchoAny(_)
            | Scenario::EchoArgs(_)
            | Scenario::EchoBinary(_)
            | Scenario::Send(_)
            | Scenario::Page(_)
            | Scenario::CatchUp(_) => "µs per acknowledgement",
            Scenario::Connect(_) => "µs per connect",
            Scenario::Idle(_) => "KiB per connection",
        }
    }
}

fn of_each(Load { sockets, in_flight, .. }: &Load) -> String {
    format!(", {sockets} connections, {in_flight} in flight each")
}

/// Fails after [`STUCK`] without progress.
struct Watch {
    progress: u64,
    moved: Instant,
}

impl Watch {
    fn new() -> Watch {
        Watch { progress: 0, moved: Instant::now() }
    }

    /// `progress` must change with every awaited item. Pings and presence events are no progress.
    fn check(&mut self, progress: u64, waiting_for: impl FnOnce() -> String) -> Result<()> {
        if progress != self.progress {
            (self.progress, self.moved) = (progress, Instant::now());
        } else if self.moved.elapsed() > STUCK {
            bail!("missing after {} s: {}", STUCK.as_secs(), waiting_for());
        }
        Ok(())
    }
}

/// Opens this many connections, lets each join the room that `room` returns for it, and waits until no more events
/// arrive.
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

/// Waits until nothing has arrived for this long.
fn quiet(swarm: &mut Swarm, target: &Target, long: Duration) -> Result<()> {
    let (began, mut heard) = (Instant::now(), Instant::now());
    while heard.elapsed() < long {
        if began.elapsed() > long + STUCK {
            bail!("the server does not become quiet");
        }
        // Pings are answered at a lower level, and do not count.
        swarm.turn(|_, incoming, now| {
            heard = now;
            ignore(target, incoming)
        })?;
    }
    Ok(())
}

/// Keeps the connections alive for this long; no measured event may arrive.
fn linger(swarm: &mut Swarm, target: &Target, long: Duration) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < long {
        swarm.turn(|_, incoming, _| ignore(target, incoming))?;
    }
    Ok(())
}

/// Ignores events that are not part of the work, but returns an error for those that report one.
fn ignore(target: &Target, incoming: Incoming<'_>) -> Result<()> {
    match incoming {
        Incoming::Event { name: MESSAGE_SAVED | BULLETIN, .. } => bail!("a message came that nobody waited for"),
        Incoming::Event { name, args } => target.dialect.check_event(name, args),
        Incoming::Ack { id, .. } | Incoming::BinaryAck { id, .. } => {
            bail!("acknowledgement {id} came that nobody waited for")
        }
        _ => Ok(()),
    }
}
