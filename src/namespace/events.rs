//! The list of a namespace's handlers, as an application writes it.

use std::{collections::HashMap, future::Future, sync::Arc};

use super::{
    app_socket::Job,
    ctx::Ctx,
    middleware::{Entrant, Refusal},
    pending::Pending,
    registered::{Connection, Disconnect, Event, Handler, Middleware, Registered},
};
use crate::{
    chat::Change,
    engine::DisconnectReason,
    error::Result,
    metrics::Metrics,
    protocol::{ClientEvent, IntoReply, acknowledgement},
};

/// A namespace's events: a list of handlers, each a free async function `(Ctx, Payload) -> Result<Reply>`. Its result
/// is the acknowledgement; its payload's type says which event it is for.
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
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the handler of an event. It replaces one of the same name.
    #[must_use]
    pub fn on<E, F, Fut, R>(mut self, handler: F) -> Self
    where
        E: ClientEvent,
        F: Fn(Ctx, E) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
        R: IntoReply + 'static,
    {
        let handler = Arc::new(handler);
        let handler: Handler = Box::new(move |socket, call, args| match E::from_args(args) {
            Ok(payload) => {
                let (handler, ctx) = (handler.clone(), Ctx::new(socket.clone()));
                // In a future, so that even its first lines run in its turn.
                socket.handling(call, async move { handler(ctx, payload).await })
            }
            Err(error) => socket.refusing(call, error.of_event(E::NAME)),
        });
        self.handlers.insert(E::NAME, handler);
        self
    }

    /// Adds the handler of an event that only writes: it checks the payload and returns the change. It may run while
    /// earlier events of the same socket wait for their commits. Effects and acknowledgements keep their order.
    #[must_use]
    pub(crate) fn writes<E, F, C>(mut self, handler: F) -> Self
    where
        E: ClientEvent,
        F: Fn(Ctx, E) -> Result<C> + Send + Sync + 'static,
        C: Change<Output: IntoReply>,
    {
        let handler = Arc::new(handler);
        let handler: Handler = Box::new(move |socket, call, args| {
            let payload = E::from_args(args).map_err(|error| error.of_event(E::NAME));
            let (socket, handler) = (socket.clone(), handler.clone());
            Job::Write(Box::new(move |place| {
                let pending = Pending::new(socket.clone(), call, place);
                match payload.and_then(|payload| handler(Ctx::new(socket), payload)) {
                    Ok(change) => {
                        change.then(|result, tellings| pending.settle(acknowledgement(result), Some(tellings)));
                    }
                    Err(error) => pending.settle(acknowledgement::<()>(Err(error)), None),
                }
            }))
        });
        self.handlers.insert(E::NAME, handler);
        self
    }

    /// Whether the event has a handler.
    pub fn has<E: ClientEvent>(&self) -> bool {
        self.handlers.contains_key(E::NAME)
    }

    /// Adds a middleware: it may refuse a client before CONNECT is sent. Several run in the order in which they were
    /// added. A client that recovers its socket is not checked again.
    #[must_use]
    pub fn middleware<F, Fut>(mut self, middleware: F) -> Self
    where
        F: Fn(Entrant) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        self.middleware.push(Box::new(move |entrant| Box::pin(middleware(entrant))));
        self
    }

    /// Adds a connection handler: it runs on every new socket, before any of the socket's events. Several run in the
    /// order in which they were added.
    #[must_use]
    pub fn connection<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.connection.push(Box::new(move |ctx| Box::pin(handler(ctx))));
        self
    }

    /// Adds a handler that runs when a socket's client has gone and may come back, in the order of the socket's events.
    #[must_use]
    pub fn away<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.away.push(Box::new(move |ctx| Box::pin(handler(ctx))));
        self
    }

    /// Adds a handler that runs when the client has come back, in the order of the socket's events.
    #[must_use]
    pub fn back<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.back.push(Box::new(move |ctx| Box::pin(handler(ctx))));
        self
    }

    /// Adds a disconnect handler: it runs last, after all events of a socket. Several run in the order in which they
    /// were added. Until all have run, the hub knows the rooms of the socket.
    #[must_use]
    pub fn disconnect<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx, DisconnectReason) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.disconnect.push(Box::new(move |ctx, reason| Box::pin(handler(ctx, reason))));
        self
    }

    /// Adds the metrics of each event and each relay.
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
