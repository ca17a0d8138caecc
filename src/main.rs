//! The binary: the command line of the library, `cli`.

fn main() -> std::process::ExitCode {
    sockeye::cli::main()
}
