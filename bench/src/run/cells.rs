//! The cells of the table.

use clap::Parser;

use crate::{cli::Plan, scenario::Scenario};

/// One row: a kind of work that is done on every server.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The name for `--only`.
    pub name: &'static str,
    /// The scenario.
    pub scenario: Scenario,
}

/// Pairs of a name and a command line, which can be repeated by hand with `sockeye-bench cell`.
const CELLS: [(&str, &str); 17] = [
    ("fan-out-100", "fan-out --sockets 100 --in-flight 8"),
    ("fan-out-1000", "fan-out --sockets 1000 --in-flight 8"),
    ("fan-out-5000", "fan-out --sockets 5000 --in-flight 8"),
    ("burst-512", "fan-out --sockets 200 --in-flight 512"),
    ("rate-1000", "rate --sockets 1000 --per-second 25"),
    ("rate-1000-evicted", "rate --sockets 1000 --per-second 25 --evict 64"),
    ("api-events-1000", "api-events --sockets 1000 --in-flight 8"),
    ("echo", "echo --sockets 50 --in-flight 8"),
    ("echo-any", "echo-any --sockets 50 --in-flight 8"),
    ("echo-args", "echo-args --sockets 50 --in-flight 8"),
    ("echo-binary", "echo-binary --sockets 50 --in-flight 8"),
    ("send", "send --sockets 50 --in-flight 8"),
    ("send-heard", "send --sockets 50 --in-flight 8 --joined"),
    ("page", "page --sockets 50 --in-flight 8"),
    ("catch-up", "catch-up --sockets 50 --in-flight 8"),
    ("connect", "connect --at-a-time 16"),
    ("idle", "idle --sockets 5000"),
];

/// Lets clap parse a scenario as on the command line.
#[derive(Parser)]
struct Words {
    #[command(subcommand)]
    scenario: Scenario,
}

/// The cells that the plan selects.
pub fn cells(plan: &Plan) -> Vec<Cell> {
    let wanted = |name: &str| plan.only.is_empty() || plan.only.iter().any(|start| name.starts_with(start.as_str()));
    CELLS.iter().filter(|(name, _)| wanted(name)).map(|(name, words)| cell(name, words, plan.seconds)).collect()
}

fn cell(name: &'static str, words: &str, seconds: f64) -> Cell {
    let mut words: Vec<String> = ["cell"].into_iter().chain(words.split(' ')).map(String::from).collect();
    if name != "idle" {
        words.extend(["--seconds".into(), seconds.to_string()]);
    }
    let scenario = Words::try_parse_from(words).expect("a cell of ours is a command line of ours").scenario;
    Cell { name, scenario }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_a_command_line() {
        for (name, words) in CELLS {
            assert_eq!(cell(name, words, 1.5).name, name);
        }
    }
}
