//! The command line: one cell against a server that runs already, or the whole table.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::{
    dialect::Dialect,
    floor::Floor,
    process,
    scenario::{Scenario, Target},
};

/// Measures what a unit of work costs a Socket.IO server.
#[derive(Parser)]
#[command(version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Measure one cell against a server that runs already.
    Cell(Cell),
    /// Be the smallest server that passes the checks: what the kernel alone costs.
    Floor(Floor),
    /// Start every server in turn, measure every cell in interleaved rounds, print the table.
    Run(Plan),
}

/// One cell against a server that runs already.
#[derive(Args)]
pub struct Cell {
    /// Where the server listens.
    #[arg(long, value_name = "ADDRESS:PORT")]
    address: SocketAddr,
    /// The server's process, whose CPU and memory are read, children included.
    #[arg(long)]
    pid: u32,
    /// The events it speaks.
    #[arg(long, value_enum, default_value = "peer")]
    dialect: Dialect,
    /// What to measure.
    #[command(subcommand)]
    scenario: Scenario,
}

impl Cell {
    /// Measures, and prints one line.
    pub fn measure(&self) -> Result<()> {
        process::raise_open_files()?;
        let target = Target { address: self.address, pid: self.pid, dialect: self.dialect };
        println!("{}: {}", self.scenario.title(), self.scenario.measure(&target)?);
        Ok(())
    }
}

/// The whole table.
#[derive(Args)]
pub struct Plan {
    /// The sockeye binary, run with its default configuration, three limits raised and a key.
    #[arg(long, value_name = "PATH")]
    pub sockeye: Option<PathBuf>,
    /// The example `bench_server` (`bench/peers/library.rs`), which does what the peers do.
    #[arg(long, value_name = "PATH")]
    pub library: Option<PathBuf>,
    /// The folder of the Node peers.
    #[arg(long, value_name = "DIR", default_value = "bench/peers")]
    pub peers: PathBuf,
    /// Another server, started with `--listen 127.0.0.1:0` appended; e.g. `mine=peer:target/release/mine`.
    #[arg(long, value_name = "NAME=DIALECT:COMMAND")]
    pub extra: Vec<String>,
    /// Further arguments of the sockeye binary, e.g. `--set`, `metrics.listen=127.0.0.1:0`.
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub sockeye_arg: Vec<String>,
    /// How often each cell is measured on each server; the table holds medians.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// How long each cell is measured, after a warm-up as long.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Only these cells, by the beginning of their names, e.g. `fan-out-1000,echo`.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only these servers, e.g. `node,sockeye`.
    #[arg(long, value_delimiter = ',')]
    pub servers: Vec<String>,
    /// Let the kernel place server and generator, instead of one on core 0 and the other on core 1.
    #[arg(long)]
    pub no_pin: bool,
    /// Write the table here too.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
