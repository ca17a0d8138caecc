//! Long work in slices: commands of bounded size, between which other writes run.

use std::time::{Duration, Instant};

use tokio::{sync::oneshot, time::sleep};

use super::{command::Command, writer::Writer};
use crate::{
    error::{Error, Result},
    tellings::Tellings,
};

/// Numbers of rows in one slice.
const FIRST: usize = 50;
const LEAST: usize = 20;
const MOST: usize = 200;
/// A slice that took longer is followed by a smaller one.
const LONG: Duration = Duration::from_millis(4);
/// A slice that was faster is followed by a larger one.
const SHORT: Duration = Duration::from_millis(2);
/// The pause after a slice is so many times as long as the slice took. Without it, other writes would meet a slice
/// nearly always.
const PAUSE: u32 = 3;

/// Runs slices, and chooses their size by the time that they take.
pub(crate) struct Slices<'a> {
    writer: &'a Writer,
    size: usize,
}

impl<'a> Slices<'a> {
    pub(super) fn new(writer: &'a Writer) -> Self {
        Self { writer, size: FIRST }
    }

    /// Runs one slice, and waits [`PAUSE`] times as long as it took, its wait for other writes included. `command` gets the maximum number
    /// of rows. `tell` runs after the commit, in commit order.
    pub(crate) async fn run<C: Command, T: Send + 'static>(
        &mut self,
        command: impl FnOnce(usize) -> C,
        tell: impl FnOnce(C::Output, &mut Tellings) -> T + Send + 'static,
    ) -> Result<T> {
        let start = Instant::now();
        let (reply, answer) = oneshot::channel();
        self.writer.queue(command(self.size), |result, tellings| {
            let result = result.map(|output| tell(output, tellings));
            // Nobody waits for it if the work was cancelled.
            drop(reply.send(result));
        });
        let output = answer.await.unwrap_or_else(|_| Err(Error::unavailable("the store is closing")))?;
        let took = start.elapsed();
        if took > LONG {
            self.size = (self.size / 2).max(LEAST);
        } else if took < SHORT {
            self.size = (self.size + self.size / 2).min(MOST);
        }
        sleep(took * PAUSE).await;
        Ok(output)
    }
}
