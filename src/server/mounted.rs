//! The handle of a server whose routes are mounted in an application's router: it closes the server.

use std::{fmt, future::Future, sync::Arc};

use super::{closing, keeper::Keeper};
use crate::{app::App, error::Result, supervise::Background};

/// Closes a server whose routes are served by an application: see
/// [`OpenServer::into_router`](crate::OpenServer::into_router). If it is dropped, the background tasks of the server end
/// at once, and its sockets no longer work.
#[must_use = "dropping it ends the server's background tasks"]
pub struct ServerHandle {
    app: Arc<App>,
    background: Background,
    keeper: Keeper,
}

impl ServerHandle {
    pub(super) fn new(app: Arc<App>, background: Background, keeper: Keeper) -> Self {
        Self { app, background, keeper }
    }

    /// Waits until `shutdown` resolves or a background task fails, and then closes the server: see [`Self::close`].
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        closing::asked_or_failed(&self.app, shutdown).await;
        self.close().await
    }

    /// Drains and closes the server: new clients are refused, connected ones are told, events finish, and queued writes
    /// are committed. It takes at most `server.drain` and about two seconds more. The application has to serve the
    /// routes until this returns, because polling clients fetch their last packets meanwhile. `unavailable` if a
    /// background task has failed: the message names it.
    pub async fn close(self) -> Result<()> {
        let Self { app, mut background, keeper } = self;
        closing::drain(&app, &keeper, false).await;
        closing::finish(&app, &keeper).await;
        closing::end_background(&app, &mut background).await
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").finish_non_exhaustive()
    }
}
