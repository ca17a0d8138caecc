//! Logs, on standard error: standard output belongs to the line that says where the server listens.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Libraries that write whole frames, and so tokens and messages, at the levels below this.
const DISCREET: [&str; 7] = [
    "engineioxide=info",
    "hyper=info",
    "hyper_util=info",
    "rusqlite_migration=warn",
    "socketioxide=info",
    "tokio_tungstenite=info",
    "tungstenite=info",
];

/// Starts logging for the whole process; later calls change nothing.
pub fn start(config: &LogConfig) {
    let filter = DISCREET.iter().fold(EnvFilter::new(config.directives()), |filter, directive| {
        filter.add_directive(directive.parse().expect("a directive of ours"))
    });
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let started = match config.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging had started before");
    }
}
