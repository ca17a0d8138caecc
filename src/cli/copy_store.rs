//! `sockeye copy-store`: the two databases by the flags, and how far the copy is.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Builder;

use super::commands::Ends;
use crate::{
    config::{Config, Secret, StoreConfig},
    protocol::Reply,
    store::{self, CopyStep},
    telemetry,
};

/// Time between two lines in the log, where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Copies the configured store, or `--from`.
pub(super) fn copy_store(config: &Config, ends: Ends) -> anyhow::Result<()> {
    telemetry::start(&config.log);
    let from = ends.from.map_or_else(|| config.store.clone(), |from| at(&config.store, from));
    let mut destination = at(&config.store, ends.to);
    if let Some(schema) = ends.to_schema {
        destination.schema = schema;
    }
    if let Some(file) = ends.to_password_file {
        (destination.password, destination.password_file) = (Secret::default(), file);
    }
    let mut shown = Shown::new();
    let report = |step| {
        shown.show(step);
        Ok(())
    };
    let copying = store::copy(&from, &destination, report);
    let copied = Builder::new_current_thread().enable_all().build()?.block_on(copying);
    shown.bar.finish_and_clear();
    println!("{}", serde_json::to_string(&Reply::Done { success: true, data: copied? })?);
    Ok(())
}

/// The settings of a store that is elsewhere: at a URL, or in a folder.
fn at(config: &StoreConfig, place: String) -> StoreConfig {
    // A URL with a slash too few is no folder.
    let is_url = place.contains("://") || place.starts_with("postgres:") || place.starts_with("postgresql:");
    let (url, path) = if is_url { (place, config.path.clone()) } else { (String::new(), place.into()) };
    StoreConfig { url, path, ..config.clone() }
}

/// How far it is: a bar on a terminal, and lines in the log otherwise.
struct Shown {
    bar: ProgressBar,
    doing: &'static str,
    last_line: Option<Instant>,
}

impl Shown {
    fn new() -> Self {
        Self { bar: ProgressBar::hidden(), doing: "", last_line: None }
    }

    fn show(&mut self, step: CopyStep) {
        match step {
            CopyStep::Copying { rows, done } => self.begin("copying", rows, done),
            CopyStep::Comparing { rows } => self.begin("comparing", rows, 0),
            CopyStep::Copied(rows) | CopyStep::Compared(rows) => self.bar.inc(rows),
        }
        let is_due = self.last_line.is_none_or(|last| last.elapsed() >= LINE_INTERVAL);
        if is_due && !stderr().is_terminal() {
            self.last_line = Some(Instant::now());
            tracing::info!(rows = self.bar.position(), of = self.bar.length(), "{} the store", self.doing);
        }
    }

    fn begin(&mut self, doing: &'static str, rows: u64, done: u64) {
        self.bar.finish_and_clear();
        let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len} rows, {eta} left");
        // If the template could not be read, indicatif's own bar would be shown.
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar = ProgressBar::new(rows).with_message(doing).with_style(style).with_position(done);
        (self.doing, self.last_line) = (doing, None);
    }
}
