//! Connections opened up to CONNECT and closed again.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use super::{AFTERMATH, Target, Watch, ignore, linger};
use crate::{
    client::{Incoming, Swarm},
    figures::{Figures, Meter, micros},
};

/// The longest that the warm-up may take.
const WARM_UP_SECONDS: f64 = 20.0;

/// Connections opened up to CONNECT and closed again.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Connects {
    /// How many are open or closing at a time.
    #[arg(long, default_value_t = 16)]
    pub at_a_time: usize,
    /// The most in one run: each leaves a port in TIME_WAIT.
    #[arg(long, default_value_t = 10_000)]
    pub most: usize,
    /// How many come first, unmeasured; a JIT needs about so many.
    #[arg(long, default_value_t = 4_000)]
    pub warm_up: usize,
    /// How long to open more.
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

    /// Returns how long each took from asking for TCP to CONNECT.
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
            // Each counts when it is begun, when it is connected and when it is gone.
            let progress = 2 * begun + latencies.len() - swarm.len();
            watch.check(progress as u64, || format!("{} connections, opening or closing", swarm.len()))?;
        }
    }
}
