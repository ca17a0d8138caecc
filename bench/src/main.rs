//! A load generator for Socket.IO servers: the same work against sockeye and its peers, and what each unit of it
//! cost the server. `README.md` beside this crate says what is measured and what voids a run.

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
