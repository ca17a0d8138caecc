//! The list of a namespace's handlers, which an application builds.

use std::{collections::HashMap, future::Future, sync::Arc};

use futures_util::future::BoxFuture;

use super::{
    app_socket::Job,
    ctx::Ctx,
    handler_set::{ConnectionHandler, DisconnectHandler, EventHandler, HandlerSet, KnownEvent, Middleware},
    listeners::{AnyListener, EventMiddleware},
    middleware::{Entrant, Refusal},
    pending_write::PendingWrite,
};
use crate::{
    chat::Change,
    engine::DisconnectReason,
    error::Result,
    metrics::Metrics,
    protocol::{Args, Arguments, ClientEvent, FromArguments, IntoReply, Payload, RESERVED_BY_SOCKET_IO, ReplyForm},
};

/// The handlers of a namespace, as a list. A handler is a function `(Ctx, T) -> R`: `T` is parsed from the event's
/// arguments ([`FromArguments`]), and `R` becomes the acknowledgement ([`IntoReply`]).
#[derive(Default)]
pub struct Events {
    handlers: HashMap<Arc<str>, EventHandler>,
    /// Maximum number of events of a socket that are handled at the same time. 0: not set, and 1 is used.
    concurrency: usize,
    middleware: Vec<Middleware>,
    event_middleware: Vec<EventMiddleware>,
    any: Vec<AnyListener>,
    any_outgoing: Vec<AnyListener>,
    begin: Vec<ConnectionHandler>,
    connection: Vec<ConnectionHandler>,
    disconnect: Vec<DisconnectHandler>,
    away: Vec<ConnectionHandler>,
    back: Vec<ConnectionHandler>,
    ended: Vec<DisconnectHandler>,
}

impl Events {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the handler of an event, as `socket.on(event, handler)` in Node. It replaces an earlier handler of that
    /// event.
    ///
    /// ```
    /// use sockeye::{Ctx, Events};
    ///
    /// Events::new()
    ///     .on("play", async |ctx: Ctx, (row, column): (u8, u8)| ctx.broadcast().emit("played", (row, column)))
    ///     .on("who", async |ctx: Ctx, ()| ctx.user().name.to_string());
    /// ```
    ///
    /// # Panics
    ///
    /// If the name is one that Socket.IO reserves, such as `connect`.
    #[must_use]
    pub fn on<T, F, Fut, R>(mut self, event: &str, handler: F) -> Self
    where
        T: FromArguments + Send + 'static,
        F: Fn(Ctx, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: IntoReply + 'static,
    {
        assert!(!RESERVED_BY_SOCKET_IO.contains(&event), "Socket.IO reserves the name {event}");
        self.add(event, T::from_arguments, handler);
        self
    }

    /// Adds the handler of the event `E`, whose name is [`ClientEvent::NAME`]. It replaces an earlier handler of that
    /// event.
    #[must_use]
    pub fn event<E, F, Fut, R>(mut self, handler: F) -> Self
    where
        E: ClientEvent,
        F: Fn(Ctx, E) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: IntoReply + 'static,
    {
        self.add(E::NAME, E::from_args, handler);
        self
    }

    fn add<T, F, Fut, R>(&mut self, event: &str, read: fn(&Args<'_>) -> Result<T>, handler: F)
    where
        T: Send + 'static,
        F: Fn(Ctx, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: IntoReply + 'static,
    {
        let handler = Arc::new(handler);
        let handler: EventHandler = Box::new(move |socket, call, args| match read(args) {
            Ok(payload) => {
                let handler = handler.clone();
                socket.handler_job(call, async move |ctx| handler(ctx, payload).await)
            }
            Err(error) => {
                let error = error.of_event(&call.name);
                socket.refusal_job(call, error)
            }
        });
        self.handlers.insert(event.into(), handler);
    }

    /// Lets the handlers of a socket overlap: up to `most` of its events are handled at the same time. They begin in the
    /// order in which they arrived, and are acknowledged as they are done. Without this, an event begins when the one
    /// before it is done, as with `concurrently(1)`.
    ///
    /// A handler does not count while it waits for its client's acknowledgement, or after [`Ctx::release`]. Connection and
    /// disconnect handlers never overlap with others: a disconnect handler runs when the socket's events are done. Chat
    /// events that only write to the store are committed and acknowledged in the order in which they arrived.
    ///
    /// ```
    /// # use sockeye::{Ctx, Events};
    /// # async fn look_up(word: String) -> String { word }
    /// Events::new().concurrently(8).on("look-up", async |_: Ctx, word: String| look_up(word).await);
    /// ```
    ///
    /// # Panics
    ///
    /// If `most` is 0.
    #[must_use]
    pub fn concurrently(mut self, most: usize) -> Self {
        assert!(most > 0, "at least one event is handled at a time");
        self.concurrency = most;
        self
    }

    /// Adds a catch-all: it runs for every event, before the event's own handler, as `socket.onAny` in Node. It has no
    /// reply.
    #[must_use]
    pub fn on_any<F, Fut>(mut self, listener: F) -> Self
    where
        F: Fn(Ctx, Arc<str>, Arguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.any.push(Arc::new(move |ctx, event, arguments| Box::pin(listener(ctx, event, arguments))));
        self
    }

    /// Adds a catch-all for outgoing events, as `socket.onAnyOutgoing` in Node. It runs once for each socket into whose
    /// queue an event was put, by `emit` or by a broadcast. It does not run for acknowledgements.
    ///
    /// It runs on the thread that emits the event, after the event is queued, and in the order of the events. It must
    /// not block. When it has to wait, it continues in a task of its own.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sockeye::{Arguments, Ctx, Events};
    /// Events::new().on_any_outgoing(async |ctx: Ctx, event: Arc<str>, arguments: Arguments| {
    ///     println!("{} is sent {event} {}", ctx.user().name, arguments.json());
    /// });
    /// ```
    #[must_use]
    pub fn on_any_outgoing<F, Fut>(mut self, listener: F) -> Self
    where
        F: Fn(Ctx, Arc<str>, Arguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.any_outgoing.push(Arc::new(move |ctx, event, arguments| Box::pin(listener(ctx, event, arguments))));
        self
    }

    /// Adds an event middleware, as `socket.use` in Node. It runs for every event, after the catch-alls and before the
    /// event's handlers, and may refuse the event. The error it returns becomes the event's acknowledgement.
    #[must_use]
    pub fn event_middleware<F, Fut>(mut self, middleware: F) -> Self
    where
        F: Fn(Ctx, Arc<str>, Arguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.event_middleware.push(Arc::new(move |ctx, event, arguments| Box::pin(middleware(ctx, event, arguments))));
        self
    }

    /// Adds the handler of an event that only writes. The handler checks the payload and returns the change. It may run
    /// while earlier events of the same socket wait for their commits. The changes are committed, and the events
    /// acknowledged, in the order in which the events arrived.
    #[must_use]
    pub(crate) fn writes<E, F, C>(mut self, handler: F) -> Self
    where
        E: ClientEvent,
        F: Fn(Ctx, E) -> Result<C> + Send + Sync + 'static,
        C: Change<Output: Payload>,
    {
        let handler = Arc::new(handler);
        let handler: EventHandler = Box::new(move |socket, call, args| {
            let payload = E::from_args(args).map_err(|error| error.of_event(E::NAME));
            let (socket, handler) = (socket.clone(), handler.clone());
            Job::Write(Box::new(move |number| {
                let write = PendingWrite::new(socket.clone(), call, number);
                match payload.and_then(|payload| handler(Ctx::new(socket), payload)) {
                    Ok(change) => change.then(|result, tellings| {
                        write.complete(ReplyForm::Enveloped.acknowledgement(result), Some(tellings));
                    }),
                    Err(error) => write.complete(ReplyForm::Enveloped.failure(error), None),
                }
            }))
        });
        self.handlers.insert(E::NAME.into(), handler);
        self
    }

    /// Whether the event has a handler.
    pub fn has<E: ClientEvent>(&self) -> bool {
        self.handlers.contains_key(E::NAME)
    }

    /// Adds a connect middleware, which may refuse a client before CONNECT is sent. Middleware runs in the order in
    /// which it was added. It does not run again for a client that recovers its socket.
    #[must_use]
    pub fn middleware<F, Fut>(mut self, middleware: F) -> Self
    where
        F: Fn(Entrant) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        self.middleware.push(Box::new(move |entrant| Box::pin(middleware(entrant))));
        self
    }

    /// Adds a handler that runs once on every new socket, before all others.
    #[must_use]
    pub(crate) fn begin<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.begin.push(Box::new(move |ctx| Box::pin(handler(ctx))));
        self
    }

    /// Adds a connection handler: it runs when a client connects, before any of its events, and again when it recovers
    /// its socket ([`Ctx::recovered`]). Several run in the order in which they were added. From the moment at which one
    /// waits for its client's answer, or calls [`Ctx::release`], the client's events are handled too; what follows in
    /// the socket's life, such as its disconnect handlers, waits.
    #[must_use]
    pub fn connection<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.connection.push(Box::new(move |ctx| Box::pin(handler(ctx))));
        self
    }

    /// Adds a handler that runs when a client's connection is lost and the client may recover its socket. It runs in
    /// order with the socket's events.
    #[must_use]
    pub fn away<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.away.push(Box::new(move |ctx| Box::pin(handler(ctx))));
        self
    }

    /// Adds a handler that runs when the client has recovered its socket. It runs in order with the socket's events.
    #[must_use]
    pub fn back<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.back.push(Box::new(move |ctx| Box::pin(handler(ctx))));
        self
    }

    /// Adds a disconnect handler: it runs when the connection is lost or the socket is disconnected, after the socket's
    /// earlier events. The client may still recover the socket, and then the connection handlers run again. Several run
    /// in the order in which they were added. While they run, the socket is in its rooms. An error is logged.
    #[must_use]
    pub fn disconnect<F, Fut, R>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx, DisconnectReason) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: IntoReply + 'static,
    {
        self.disconnect.push(Box::new(move |ctx, reason| unanswered(handler(ctx, reason))));
        self
    }

    /// Adds a handler that runs last, when the socket has ended and its client cannot recover it any more. After a lost
    /// connection, it runs at the end of the recovery window.
    #[must_use]
    pub fn ended<F, Fut, R>(mut self, handler: F) -> Self
    where
        F: Fn(Ctx, DisconnectReason) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: IntoReply + 'static,
    {
        self.ended.push(Box::new(move |ctx, reason| unanswered(handler(ctx, reason))));
        self
    }

    /// Creates the metrics of each event and each relay, and returns the finished handler set.
    pub(super) fn with_metrics(self, metrics: &Metrics, relays: impl Iterator<Item = String>) -> HandlerSet {
        let events = self.handlers.into_iter().map(|(name, handler)| {
            let metrics = metrics.event(&name);
            (name, KnownEvent { handler, metrics })
        });
        HandlerSet {
            events: events.collect(),
            relays: relays.map(|name| (name.as_str().into(), metrics.event(&name))).collect(),
            unknown: metrics.event("unknown"),
            concurrency: self.concurrency.max(1),
            middleware: self.middleware,
            event_middleware: self.event_middleware,
            any: self.any,
            any_outgoing: self.any_outgoing,
            begin: self.begin,
            connection: self.connection,
            disconnect: self.disconnect,
            away: self.away,
            back: self.back,
            ended: self.ended,
        }
    }
}

/// Runs a handler that has no acknowledgement: its reply is dropped. Its error is returned, so that it can be logged.
fn unanswered<R: IntoReply>(handling: impl Future<Output = R> + Send + 'static) -> BoxFuture<'static, Result<()>> {
    Box::pin(async move { handling.await.into_reply(ReplyForm::Plain).map(drop) })
}
