//! The memory cost of an idle connection.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::{Target, linger, open};
use crate::{
    client::Swarm,
    figures::{Figures, Meter},
    process,
};

/// Idle connections.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Idle {
    /// The number of connections beyond the first hundred, which absorb the server's one-time allocations.
    #[arg(long, default_value_t = 5000)]
    pub sockets: usize,
    /// How long the server may settle before its memory is read.
    #[arg(long, default_value_t = 6.0)]
    pub settle: f64,
}

impl Idle {
    pub(super) fn measure(&self, target: &Target) -> Result<Figures> {
        let mut swarm = Swarm::new(target.address)?;
        let before = self.memory(&mut swarm, target, 100)?;
        let mut meter = Meter::start(target.pid)?;
        let after = self.memory(&mut swarm, target, self.sockets)?;
        meter.stop();
        let cost = after.saturating_sub(before) as f64 / self.sockets as f64;
        let figures = meter.finish(vec![0; self.sockets])?;
        Ok(Figures { cost, p50: 0.0, p99: 0.0, rate: 0.0, ..figures })
    }

    fn memory(&self, swarm: &mut Swarm, target: &Target, sockets: usize) -> Result<u64> {
        open(swarm, target, sockets, |_| None)?;
        linger(swarm, target, Duration::from_secs_f64(self.settle))?;
        process::pss(target.pid)
    }
}
