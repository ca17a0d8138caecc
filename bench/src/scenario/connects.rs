//! Connections that are opened up to CONNECT and closed again.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use super::{AFTERMATH, Target, Watch, ignore, linger};
use crate::{
    client::{Incoming, Swarm},
    figures::{Figures, Meter, micros},
};

/// The longest duration of the warm-up.
const WARM_UP_SECONDS: f64 = 20.0;

/// Connections that are opened up to CONNECT and closed again.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Connects {
    /// The number of connections that are open or closing at the same time.
    #[arg(long, default_value_t = 16)]
    pub at_a_time: usize,
    /// The maximum per run: each connection leaves a port in TIME_WAIT.
    #[arg(long, default_value_t = 10_000)]
    pub most: usize,
    /// The number of connections for warming up, not measured; a JIT compiler needs about this many.
    #[arg(long, default_value_t = 4_000)]
    pub warm_up: usize,
    /// How long to open connections.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
}

impl Connects {
    pub(super) fn measure(&self, target: &Target) -> Result<Figures> {
        let mut swarm = Swarm::new(target.address)?;
        self.run(&mut swarm, target, self.warm_up, WARM_UP_SECONDS)?;
        let mut meter = Meter::start(target.pid)?;
        let latencies = self.run(&mut swarm, target, self.most, self.seconds)?;
        meter.stop();
        linger(&mut swarm, target, AFTERMATH)?;
        meter.finish(latencies)
    }

    /// Returns the time from the start of the TCP handshake to CONNECT, for each connection.
    fn run(&self, swarm: &mut Swarm, target: &Target, most: usize, seconds: f64) -> Result<Vec<u32>> {
        let (until, mut watch) = (Instant::now() + Duration::from_secs_f64(seconds), Watch::new());
        let (mut begun, mut latencies) = (0, Vec::new());
        loop {
            while swarm.len() < self.at_a_time && begun < most && Instant::now() < until {
                swarm.open(target.dialect.protocol())?;
                begun += 1;
            }
            if swarm.len() == 0 {
                return Ok(latencies);
            }
            swarm.turn(|conn, incoming, now| {
                if let Incoming::Connected = incoming {
                    latencies.push(micros(conn.opened_at, now));
                    conn.close();
                    return Ok(());
                }
                ignore(target, incoming)
            })?;
            // Counts the start, the CONNECT and the end of each connection as progress.
            let progress = 2 * begun + latencies.len() - swarm.len();
            watch.check(progress as u64, || format!("{} connections, opening or closing", swarm.len()))?;
        }
    }
}
