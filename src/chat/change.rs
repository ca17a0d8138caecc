//! A change of the store, and what follows its commit.

use std::{future::Future, sync::Arc};

use tokio::sync::oneshot;

use crate::{
    app::App,
    error::{Error, Result},
    hub::Hub,
    store::Command,
    turn,
};

/// A change that was checked and is not queued yet.
pub trait Change: Send + Sized + 'static {
    /// What it means once it is committed and told.
    type Output: Send + 'static;

    /// Queues it. What follows runs in commit order, after those who hear of it were told, or when it has failed.
    fn then(self, then: impl FnOnce(Result<Self::Output>) + Send + 'static);

    /// Queues it, and waits until it is committed and told.
    fn done(self) -> impl Future<Output = Result<Self::Output>> + Send {
        let (reply, answer) = oneshot::channel();
        // Whoever waits may be gone; what was written is told to the others all the same.
        self.then(|result| turn::after(|| drop(reply.send(result))));
        async { answer.await.unwrap_or_else(|_| Err(Error::unavailable("the store is closing"))) }
    }
}

/// A command for the store, and what tells the hub of it after its commit.
struct Checked<C, F> {
    app: Arc<App>,
    command: C,
    tell: F,
}

/// A change of the store. After its commit, in commit order, `tell` tells the hub and makes the result.
pub(super) fn change<C, T, F>(app: &Arc<App>, command: C, tell: F) -> impl Change<Output = T> + use<C, T, F>
where
    C: Command,
    T: Send + 'static,
    F: FnOnce(&Hub, C::Output) -> T + Send + 'static,
{
    Checked { app: app.clone(), command, tell }
}

impl<C, T, F> Change for Checked<C, F>
where
    C: Command,
    T: Send + 'static,
    F: FnOnce(&Hub, C::Output) -> T + Send + 'static,
{
    type Output = T;

    fn then(self, then: impl FnOnce(Result<T>) + Send + 'static) {
        let Self { app, command, tell } = self;
        let hub = app.hub.clone();
        app.store.write(command, move |result| then(result.map(|output| tell(&hub, output))));
    }
}
