//! The figures of a cell: units of work, cost of one, latency of one.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::process;

/// The figures of one cell.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Units of work measured: deliveries received, acknowledgements, connects or idle connections.
    pub units: u64,
    /// µs of the server's CPU per unit; KiB per idle connection.
    pub cost: f64,
    /// Units per second of wall-clock time.
    pub rate: f64,
    /// Median latency in milliseconds, over all units.
    pub p50: f64,
    /// 99th percentile of the latency in milliseconds, over all units.
    pub p99: f64,
    /// The generator's own CPU, as a share of one core. Near 1, the generator was the bottleneck.
    pub generator: f64,
    /// CPU used by neither server nor generator, in cores: other processes of the machine.
    pub others: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} per unit, {} units, {:.0}/s, p50 {:.2} ms, p99 {:.2} ms, generator {:.2}, others {:.2}",
            self.cost, self.units, self.rate, self.p50, self.p99, self.generator, self.others
        )
    }
}

/// Measures CPU and time between start and end.
pub struct Meter {
    pid: u32,
    began: Instant,
    ended: Option<Instant>,
    before: Clocks,
}

#[derive(Clone, Copy)]
struct Clocks {
    server: Duration,
    generator: Duration,
    machine: Duration,
    at: Instant,
}

impl Clocks {
    fn read(pid: u32) -> Result<Clocks> {
        Ok(Clocks {
            server: process::cpu(pid)?,
            generator: process::cpu_of_this()?,
            machine: process::cpu_of_machine()?,
            at: Instant::now(),
        })
    }
}

impl Meter {
    /// Starts to measure the process and its children.
    pub fn start(pid: u32) -> Result<Meter> {
        let before = Clocks::read(pid)?;
        Ok(Meter { pid, began: Instant::now(), ended: None, before })
    }

    /// Marks the end of the work: until [`Meter::finish`] the server's CPU still counts, but not the time.
    pub fn stop(&mut self) {
        self.ended = Some(Instant::now());
    }

    /// The figures for this list of latencies in µs, one per unit.
    pub fn finish(self, mut latencies: Vec<u32>) -> Result<Figures> {
        ensure!(!latencies.is_empty(), "nothing arrived");
        let after = Clocks::read(self.pid)?;
        let wall = self.ended.unwrap_or(after.at).duration_since(self.began).as_secs_f64();
        let span = after.at.duration_since(self.before.at).as_secs_f64();
        let server = after.server.saturating_sub(self.before.server).as_secs_f64();
        let generator = after.generator.saturating_sub(self.before.generator).as_secs_f64();
        let machine = after.machine.saturating_sub(self.before.machine).as_secs_f64();
        let units = latencies.len();
        Ok(Figures {
            units: units as u64,
            cost: server * 1e6 / units as f64,
            rate: units as f64 / wall,
            p50: percentile(&mut latencies, 0.50),
            p99: percentile(&mut latencies, 0.99),
            generator: generator / span,
            others: ((machine - server - generator) / span).max(0.0),
        })
    }
}

/// The µs since `then`, as a latency.
pub fn micros(then: Instant, now: Instant) -> u32 {
    u32::try_from(now.saturating_duration_since(then).as_micros()).unwrap_or(u32::MAX)
}

/// Converts µs to ms.
fn percentile(latencies: &mut [u32], share: f64) -> f64 {
    let place = ((latencies.len() as f64 * share).ceil() as usize).clamp(1, latencies.len()) - 1;
    f64::from(*latencies.select_nth_unstable(place).1) / 1e3
}

/// The median; 0 for an empty list.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        len if len % 2 == 1 => values[len / 2],
        len => (values[len / 2 - 1] + values[len / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_medians() {
        let mut hundred: Vec<u32> = (1..=100).map(|ms| ms * 1000).collect();
        assert_eq!((percentile(&mut hundred, 0.50), percentile(&mut hundred, 0.99)), (50.0, 99.0));
        assert_eq!(percentile(&mut [7_000], 0.99), 7.0);
        assert_eq!((median([3.0, 1.0, 2.0]), median([4.0, 2.0]), median([])), (2.0, 3.0, 0.0));
    }
}
