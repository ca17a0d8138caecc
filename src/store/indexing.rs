//! The task that indexes old messages for the search, in slices beside the traffic.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use super::{command::task, commands::IndexMessages, inbox::Inbox};
use crate::error::Code;

/// Messages of one slice.
const SLICE: usize = 500;
/// Time between two attempts while the database fails.
const RETRY: Duration = Duration::from_secs(1);
/// Time between two log lines.
const LINE: Duration = Duration::from_secs(5);

/// Indexes all messages that are not. Ends when there are none, or when the store is closed.
pub(super) async fn index_older(inbox: Arc<Inbox>) -> Result<(), String> {
    let begin = Instant::now();
    let mut line = begin;
    let mut slices = 0_usize;
    while !inbox.is_closed() {
        let start = Instant::now();
        let (reply, answer) = oneshot::channel();
        let slice = task(IndexMessages { limit: SLICE }, |result, _| drop(reply.send(result)));
        if let Err(refused) = inbox.push(slice) {
            drop(refused);
            sleep(RETRY).await;
            continue;
        }
        match answer.await {
            Ok(Ok(true)) => slices += 1,
            Ok(Ok(false)) => break,
            Ok(Err(error)) => {
                // The failed commit is in the log.
                debug_assert_eq!(error.code(), Code::Unavailable);
                sleep(RETRY).await;
            }
            Err(_) => return Ok(()),
        }
        if line.elapsed() > LINE {
            line = Instant::now();
            tracing::info!(messages = slices * SLICE, "indexing messages for the search");
        }
        // As long as the slice took: at least half of the writer's time is for others.
        sleep(start.elapsed()).await;
    }
    if slices > 0 {
        tracing::info!(after = ?begin.elapsed(), "all messages are indexed for the search");
    }
    Ok(())
}
