//! A change: a command for the store, and the function that emits its events after the commit.

use std::{future::Future, sync::Arc};

use tokio::sync::oneshot;

use crate::{
    app::App,
    error::{Error, Result},
    hub::Hub,
    store::Command,
    tellings::Tellings,
};

/// A change that has passed its checks and is not queued yet.
pub trait Change: Send + Sized + 'static {
    /// The result of the change.
    type Output: Send + 'static;

    /// Queues the change, and calls `then` with its result: after the commit, in commit order, or when the change has
    /// failed. `Tellings` collects the events of one commit. When `then` is called, the change's events have been
    /// emitted: they are delivered, or held back until the `Tellings` is dropped.
    fn then(self, then: impl FnOnce(Result<Self::Output>, &mut Tellings) + Send + 'static);

    /// Queues the change, and waits until it is committed and its events are delivered. Errors: those of the command,
    /// and `unavailable` if the store is closing.
    fn done(self) -> impl Future<Output = Result<Self::Output>> + Send {
        let (reply, answer) = oneshot::channel();
        // If the returned future was dropped, nobody receives the result. The change is committed all the same.
        self.then(|result, tellings| tellings.after(|| drop(reply.send(result))));
        async { answer.await.unwrap_or_else(|_| Err(Error::unavailable("the store is closing"))) }
    }
}

/// A command for the store, with the function that emits its events.
struct StoreChange<C, F> {
    app: Arc<App>,
    command: C,
    tell: F,
}

/// Makes a change from a command. `tell` runs after the commit, in commit order. It emits the events through the hub
/// and returns the result.
pub(super) fn change<C, T, F>(app: &Arc<App>, command: C, tell: F) -> impl Change<Output = T> + use<C, T, F>
where
    C: Command,
    T: Send + 'static,
    F: FnOnce(&Hub, &mut Tellings, C::Output) -> T + Send + 'static,
{
    StoreChange { app: app.clone(), command, tell }
}

impl<C, T, F> Change for StoreChange<C, F>
where
    C: Command,
    T: Send + 'static,
    F: FnOnce(&Hub, &mut Tellings, C::Output) -> T + Send + 'static,
{
    type Output = T;

    fn then(self, then: impl FnOnce(Result<T>, &mut Tellings) + Send + 'static) {
        let Self { app, command, tell } = self;
        let hub = app.hub.clone();
        app.store().write(command, move |result, tellings| {
            let result = result.map(|output| tell(&hub, tellings, output));
            then(result, tellings);
        });
    }
}
