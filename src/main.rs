//! The binary: the command line of the library, with the chat and nothing else.

use sockeye::{Config, Server};

fn main() -> std::process::ExitCode {
    sockeye::cli(Server::new(Config::default()))
}
