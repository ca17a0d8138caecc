//! The output of an erasure or an export: lines of JSON.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::error::{Error, Result};

/// Lines that wait for a slow reader. The work waits for the reader.
const QUEUE: usize = 16;
/// Time between two lines of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Writes lines of JSON. The work ends when nobody reads them any more.
pub(crate) struct Lines {
    sender: mpsc::Sender<Bytes>,
    last_progress: Instant,
}

impl Lines {
    /// The lines, and what receives them.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self { sender, last_progress: Instant::now() }, receiver)
    }

    /// Writes one line. `unavailable` if nobody reads.
    pub(crate) async fn write(&self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec(line).map_err(|error| Error::internal("a line cannot be written", error))?;
        text.push(b'\n');
        self.sender.send(text.into()).await.map_err(|_| stopped())
    }

    /// Writes `{ "progress": ... }`, at most once a second. `unavailable` if nobody reads.
    pub(crate) async fn progress(&mut self, progress: impl Serialize) -> Result<()> {
        #[derive(Serialize)]
        struct Line<T> {
            progress: T,
        }
        if self.sender.is_closed() {
            return Err(stopped());
        }
        if self.last_progress.elapsed() < PROGRESS_INTERVAL {
            return Ok(());
        }
        self.last_progress = Instant::now();
        self.write(&Line { progress }).await
    }
}

fn stopped() -> Error {
    Error::unavailable("the work was stopped: nobody reads its output")
}
