//! The command line: one cell against a running server, or the whole table.

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
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Measure one cell against a running server.
    Cell(Cell),
    /// Run the smallest server that passes the checks, to measure the cost of the kernel alone.
    Floor(Floor),
    /// Start every server in turn, measure every cell in interleaved rounds, and print the table.
    Run(Plan),
}

/// One cell against a running server.
#[derive(Args)]
pub struct Cell {
    /// The server's address.
    #[arg(long, value_name = "ADDRESS:PORT")]
    address: SocketAddr,
    /// The server's process, whose CPU and memory are read, children included.
    #[arg(long)]
    pid: u32,
    /// The events that the server speaks.
    #[arg(long, value_enum, default_value = "peer")]
    dialect: Dialect,
    /// What to measure.
    #[command(subcommand)]
    scenario: Scenario,
}

impl Cell {
    /// Measures the cell and prints one line.
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
    /// The example `bench_server` (`bench/peers/library.rs`), which behaves like the peers.
    #[arg(long, value_name = "PATH")]
    pub library: Option<PathBuf>,
    /// The folder of the Node peers.
    #[arg(long, value_name = "DIR", default_value = "bench/peers")]
    pub peers: PathBuf,
    /// Another server, started with `--listen 127.0.0.1:0` appended; e.g. `mine=peer:target/release/mine`.
    #[arg(long, value_name = "NAME=DIALECT:COMMAND")]
    pub extra: Vec<String>,
    /// More arguments for the sockeye binary, e.g. `--set`, `metrics.listen=127.0.0.1:0`.
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub sockeye_arg: Vec<String>,
    /// The number of rounds per cell and server; the table contains medians.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// How long each cell is measured, after a warm-up of the same length.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Only cells whose names begin with one of these, e.g. `fan-out-1000,echo`.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only these servers, e.g. `node,sockeye`.
    #[arg(long, value_delimiter = ',')]
    pub servers: Vec<String>,
    /// Let the kernel place server and generator, instead of pinning them to cores 0 and 1.
    #[arg(long)]
    pub no_pin: bool,
    /// Also write the table to this file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
