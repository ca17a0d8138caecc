//! The steps in which a server closes: wait for the end, drain, close the store, end background tasks.

use std::{future::Future, time::Duration};

use super::{keeper::Keeper, wait::until};
use crate::{
    app::App,
    error::{Error, Result},
    hub::To,
    supervise::Background,
};

/// How long the handlers of the sockets may take to end.
const LAST_HANDLERS: Duration = Duration::from_secs(1);
/// How long the last requests that emit events may take.
const LAST_CALLS: Duration = Duration::from_secs(2);
/// How long closing the store may take after a failure.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// Waits until `shutdown` resolves, or a background task has failed.
pub(super) async fn asked_or_failed(app: &App, shutdown: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown => {}
        () = app.supervisor.failed() => {}
    }
}

/// Tells the last events, closes the store, and hands the sockets over.
pub(super) async fn finish(app: &App, keeper: &Keeper) {
    app.calls().end();
    if !until(LAST_CALLS, || app.calls().running() == 0).await {
        tracing::warn!(requests = app.calls().running(), "some requests did not end");
    }
    // The next process must find the file when it gets the lock.
    let lock = app.folder_lock();
    close_store(app).await;
    keeper.hand_over(app).await;
    drop(lock);
}

/// Commits queued writes and closes the store. After a failure there is a time limit: the store itself may have failed.
async fn close_store(app: &App) {
    let closing = app.close_store();
    if app.supervisor.failure().is_none() {
        closing.await;
    } else if tokio::time::timeout(LAST_WRITES, closing).await.is_err() {
        tracing::error!("the store did not close");
    }
}

/// Tells clients that the server is closing, and drops their connections within `server.drain`. Sockets that the next
/// process can take up do not end. Returns when no handler of a socket runs any more.
///
/// If the next process has the same listener, the connections are dropped at once, because nobody is served until it
/// begins. Requests that were accepted are served.
pub(super) async fn drain(app: &App, keeper: &Keeper, is_inherited: bool) {
    let within = if is_inherited { Duration::ZERO } else { app.config.server.drain };
    let keeps_sockets = keeper.keeps_sockets(app);
    tracing::info!(sockets = app.socket_count(), "closing");
    app.drain();
    if !is_inherited {
        app.calls().refuse();
    }
    // A bare server has no event of its own.
    if !app.is_bare() {
        for hub in app.hubs.all() {
            for socket in hub.sockets() {
                hub.tell_transient(To::Socket(socket), &app.closing(within));
            }
        }
    }
    // Connections are dropped without DISCONNECT, so that unchanged clients reconnect by themselves. They are dropped
    // in batches, so that the clients do not all reconnect at once.
    app.engine.drop_connections(within, !is_inherited).await;
    app.engine.abort_connections();
    app.engine.end_away_sockets(|socket| keeps_sockets && socket.saved().is_some());
    // The disconnect handlers run to their end.
    if !until(LAST_HANDLERS, || app.hubs.all().iter().all(|hub| hub.is_quiet())).await {
        tracing::warn!(sockets = app.socket_count(), "some sockets did not close");
    }
}

/// Ends the background tasks. The error names the one that failed before.
pub(super) async fn end_background(app: &App, background: &mut Background) -> Result<()> {
    background.shutdown().await;
    tracing::info!("closed");
    match app.supervisor.failure() {
        None => Ok(()),
        Some(reason) => Err(Error::unavailable(&format!("the server could not go on: {reason}"))),
    }
}
