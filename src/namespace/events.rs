//! The typed events of a namespace.

use std::{collections::HashMap, future::Future, sync::Arc};

use futures_util::future::BoxFuture;

use super::{
    Ctx, Entrant, Refusal,
    queue::{BeginWrite, Job},
    receive::Call,
};
use crate::{
    chat::Change,
    engine::DisconnectReason,
    error::{Error, Result},
    metrics::{EventMetrics, Metrics},
    protocol::{Args, Arguments, ClientEvent, IntoReply, acknowledgement},
};

/// What became of an event: its acknowledgement, and the error if it failed.
pub(super) type Outcome = (Arguments, Option<Error>);

/// Makes a job of an event: decodes it now.
type Handler = Box<dyn Fn(Call, &Args<'_>) -> Job + Send + Sync>;
type Middleware = Box<dyn Fn(Entrant) -> BoxFuture<'static, Result<(), Refusal>> + Send + Sync>;
type Connection = Box<dyn Fn(Ctx) -> BoxFuture<'static, Result<()>> + Send + Sync>;
type Disconnect = Box<dyn Fn(Ctx, DisconnectReason) -> BoxFuture<'static, ()> + Send + Sync>;

/// A namespace's events: a list of handlers, each a free async function `(Ctx, Payload) -> Result<Reply>`. What
/// it returns is the acknowledgement; which event it is for follows from the payload's type.
#[derive(Default)]
pub struct Events {
    handlers: HashMap<&'static str, Handler>,
    middleware: Vec<Middleware>,
    connection: Vec<Connection>,
    away: Vec<Connection>,
    back: Vec<Connection>,
    disconnect: Vec<Disconnect>,
}

impl Events {
    /// No events yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event; one of the same name is replaced.
    #[must_use]
    pub fn on<E, F, Fut, R>(mut self, handler: F) -> Self
    where
        E: ClientEvent,
        F: Fn(Ctx, E) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
        R: IntoReply + 'static,
    {
        let handler = Arc::new(handler);
        let handler: Handler = Box::new(move |call, args| match E::from_args(args) {
            Ok(payload) => {
                let (handler, ctx) = (handler.clone(), call.socket.ctx());
                // Called when its turn comes, not before.
                Job::Alone(Box::pin(call.run(async move { handler(ctx, payload).await })))
            }
            Err(error) => call.refuse(error.of_event(E::NAME)),
        });
        self.handlers.insert(E::NAME, handler);
        self
    }

    /// Adds an event that only writes: its handler checks and returns the change. It may begin while events before it,
    /// of the same socket, wait for their commits; effects and acknowledgements keep their order all the same.
    #[must_use]
    pub(crate) fn writes<E, F, C>(mut self, handler: F) -> Self
    where
        E: ClientEvent,
        F: Fn(Ctx, E) -> Result<C> + Send + Sync + 'static,
        C: Change<Output: IntoReply>,
    {
        let handler = Arc::new(handler);
        let handler: Handler = Box::new(move |call, args| {
            let (handler, payload) = (handler.clone(), E::from_args(args).map_err(|error| error.of_event(E::NAME)));
            let begin: BeginWrite =
                Box::new(move |ctx, pending| match payload.and_then(|payload| handler(ctx, payload)) {
                    Ok(change) => {
                        change.then(|result, tellings| pending.settle(acknowledgement(result), Some(tellings)))
                    }
                    Err(error) => pending.settle(acknowledgement::<()>(Err(error)), None),
                });
            Job::Write(call, begin)
        });
        self.handlers.insert(E::NAME, handler);
        self
    }

    /// Whether there is a handler for this event.
    pub fn has<E: ClientEvent>(&self) -> bool {
        self.handlers.contains_key(E::NAME)
    }

    /// Who else decides whether a client is let in, before CONNECT is sent. Several are asked in the order they were
    /// added; one that comes back to its socket is not asked again.
    #[must_use]
    pub fn middleware<F, Fut>(mut self, middleware: F) -> Self
    where
        F: Fn(Entrant) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        self.middleware.push(Box::new(move |entrant| Box::pin(middleware(entrant))));
        self
    }

    /// What happens first on every socket that was let in, before any of its events. Several happen in the order
    /// they were added.
    #[must_use]
    pub fn connection<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.connection.push(Box::new(move |ctx| Box::pin(handler(ctx))));
        self
    }

    /// What happens when a socket's client has gone and may come back, in the order of its events.
    #[must_use]
    pub fn away<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.away.push(Box::new(move |ctx| Box::pin(handler(ctx))));
        self
    }

    /// What happens when it has come back.
    #[must_use]
    pub fn back<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.back.push(Box::new(move |ctx| Box::pin(handler(ctx))));
        self
    }

    /// What happens last, after all of its events. Several happen in the order they were added.
    #[must_use]
    pub fn disconnect<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx, DisconnectReason) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.disconnect.push(Box::new(move |ctx, reason| Box::pin(handler(ctx, reason))));
        self
    }

    /// With the metrics of each event, to be shared by all sockets of the namespace.
    pub(super) fn registered(self, metrics: &Metrics, relays: impl Iterator<Item = String>) -> Registered {
        let events = self
            .handlers
            .into_iter()
            .map(|(name, handler)| (name.into(), Event { handler, metrics: metrics.event(name) }));
        Registered {
            events: events.collect(),
            relays: relays.map(|name| (name.as_str().into(), metrics.event(&name))).collect(),
            unknown: metrics.event("unknown"),
            middleware: self.middleware,
            connection: self.connection,
            away: self.away,
            back: self.back,
            disconnect: self.disconnect,
        }
    }
}

/// The events of a namespace in service.
pub(super) struct Registered {
    pub(super) events: HashMap<Arc<str>, Event>,
    pub(super) relays: HashMap<Arc<str>, Arc<EventMetrics>>,
    pub(super) unknown: Arc<EventMetrics>,
    pub(super) middleware: Vec<Middleware>,
    pub(super) connection: Vec<Connection>,
    pub(super) away: Vec<Connection>,
    pub(super) back: Vec<Connection>,
    pub(super) disconnect: Vec<Disconnect>,
}

/// One of them.
pub(super) struct Event {
    pub(super) handler: Handler,
    pub(super) metrics: Arc<EventMetrics>,
}
