//! A change of the store, and what follows its commit: telling the hub, then answering.

use std::{future::Future, sync::Arc};

use tokio::sync::oneshot;

use crate::{
    app::App,
    error::{Error, Result},
    hub::Hub,
    store::Command,
    tellings::Tellings,
};

/// A change that was checked and is not queued yet.
pub trait Change: Send + Sized + 'static {
    /// What the change gives when it is committed and told.
    type Output: Send + 'static;

    /// Queues the change. `then` runs when it has failed, or after its commit, in commit order: its receivers were
    /// told, or will be when `Tellings` is dropped.
    fn then(self, then: impl FnOnce(Result<Self::Output>, &mut Tellings) + Send + 'static);

    /// Queues the change, and waits until it is committed and its receivers were told. Errors: those of the command,
    /// and `unavailable` where the store is closing.
    fn done(self) -> impl Future<Output = Result<Self::Output>> + Send {
        let (reply, answer) = oneshot::channel();
        // The receiver is gone where the returned future was dropped. The change stays.
        self.then(|result, tellings| tellings.after(|| drop(reply.send(result))));
        async { answer.await.unwrap_or_else(|_| Err(Error::unavailable("the store is closing"))) }
    }
}

/// A command for the store, with the function that tells the hub of it.
struct Checked<C, F> {
    app: Arc<App>,
    command: C,
    tell: F,
}

/// Makes a change of a command. `tell` runs after the commit, in commit order: it tells the hub and makes the result.
pub(super) fn change<C, T, F>(app: &Arc<App>, command: C, tell: F) -> impl Change<Output = T> + use<C, T, F>
where
    C: Command,
    T: Send + 'static,
    F: FnOnce(&Hub, &mut Tellings, C::Output) -> T + Send + 'static,
{
    Checked { app: app.clone(), command, tell }
}

impl<C, T, F> Change for Checked<C, F>
where
    C: Command,
    T: Send + 'static,
    F: FnOnce(&Hub, &mut Tellings, C::Output) -> T + Send + 'static,
{
    type Output = T;

    fn then(self, then: impl FnOnce(Result<T>, &mut Tellings) + Send + 'static) {
        let Self { app, command, tell } = self;
        let hub = app.hub.clone();
        app.store.write(command, move |result, tellings| {
            let result = result.map(|output| tell(&hub, tellings, output));
            then(result, tellings);
        });
    }
}
