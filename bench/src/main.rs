//! A load generator for Socket.IO servers: measures the cost of the same work on sockeye and its peers. `README.md`
//! beside this crate explains what is measured and what makes a run void.

mod cli;
mod client;
mod dialect;
mod figures;
mod floor;
mod process;
mod run;
mod scenario;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let outcome = match cli::Cli::parse().command {
        cli::Command::Cell(cell) => cell.measure(),
        cli::Command::Floor(floor) => floor.serve(),
        cli::Command::Run(plan) => run::run(&plan),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("void: {error:#}");
            ExitCode::FAILURE
        }
    }
}
