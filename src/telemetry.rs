//! Logging to standard error. Standard output contains only the line with the server's address.

mod fields;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
};

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// The lowest levels of libraries that log whole frames, with tokens and messages, at lower levels.
const LEVEL_LIMITS: [&str; 6] = [
    "engineioxide=info",
    "hyper=info",
    "hyper_util=info",
    "socketioxide=info",
    "tokio_tungstenite=info",
    "tungstenite=info",
];

/// Starts logging for the process; later calls do nothing. Panics are logged too, with their messages escaped, since
/// these may contain text from clients.
pub fn start(config: &LogConfig) {
    let filter = LEVEL_LIMITS.iter().fold(EnvFilter::new(config.directives()), |filter, directive| {
        filter.add_directive(directive.parse().expect("a directive of ours"))
    });
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let started = match config.format {
        LogFormat::Text => builder.with_target(false).fmt_fields(fields::Fields).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was already started");
        return;
    }
    panic::set_hook(Box::new(log_panic));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload_as_str().unwrap_or("no text");
    let location = panic.location().map(tracing::field::display);
    let current = std::thread::current();
    tracing::error!(payload, location, thread = current.name(), "a thread panicked");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        eprintln!("{backtrace}");
    }
}
