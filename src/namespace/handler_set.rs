//! The handlers of a namespace with their metrics. All sockets of the namespace share them.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::BoxFuture;

use super::{
    app_socket::{AppSocket, Job},
    call::Call,
    ctx::Ctx,
    listeners::{AnyListener, EventMiddleware},
    middleware::{Entrant, Refusal},
};
use crate::{engine::DisconnectReason, error::Result, metrics::EventMetrics, protocol::Args};

/// Parses the arguments of an event at once, and returns the job that runs the event's handler.
pub(super) type EventHandler = Box<dyn Fn(&Arc<AppSocket>, Call, &Args<'_>) -> Job + Send + Sync>;
pub(super) type Middleware = Box<dyn Fn(Entrant) -> BoxFuture<'static, Result<(), Refusal>> + Send + Sync>;
/// A handler that runs after CONNECT, when the client goes away, or when the client comes back.
pub(super) type ConnectionHandler = Box<dyn Fn(Ctx) -> BoxFuture<'static, Result<()>> + Send + Sync>;
pub(super) type DisconnectHandler = Box<dyn Fn(Ctx, DisconnectReason) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// The handlers of a namespace, and the relays.
pub(super) struct HandlerSet {
    pub(super) events: HashMap<Arc<str>, KnownEvent>,
    /// The metrics of relayed events, by event name.
    pub(super) relays: HashMap<Arc<str>, Arc<EventMetrics>>,
    /// The metrics that all events without a handler and without a relay share.
    pub(super) unknown: Arc<EventMetrics>,
    pub(super) middleware: Vec<Middleware>,
    /// How many events of a socket may be handled at the same time.
    pub(super) concurrency: usize,
    /// Run before the handler of every event.
    pub(super) event_middleware: Vec<EventMiddleware>,
    /// Catch-alls: run for every event.
    pub(super) any: Vec<AnyListener>,
    /// Catch-alls for outgoing events: run for every event that is sent to a socket.
    pub(super) any_outgoing: Vec<AnyListener>,
    /// Handlers that run once for each socket, when its client connects.
    pub(super) begin: Vec<ConnectionHandler>,
    /// Handlers that run when a client connects, and again when it recovers its socket.
    pub(super) connection: Vec<ConnectionHandler>,
    /// Handlers that run when the connection is lost, or the socket is disconnected.
    pub(super) disconnect: Vec<DisconnectHandler>,
    /// Handlers that run when the client has gone and may recover the socket.
    pub(super) away: Vec<ConnectionHandler>,
    /// Handlers that run when the client has recovered the socket.
    pub(super) back: Vec<ConnectionHandler>,
    /// Handlers that run last, when the socket has ended and can no longer be recovered.
    pub(super) ended: Vec<DisconnectHandler>,
}

impl HandlerSet {
    /// The job of an event, which overlaps with others if the namespace allows it. Writes never do.
    pub(super) fn in_turn(&self, job: Job) -> Job {
        match job {
            Job::Alone(work) if self.concurrency > 1 => Job::Overlapping(work),
            job => job,
        }
    }

    /// Whether there are functions that run for every event: event middleware or catch-alls.
    pub(super) fn has_catch_alls(&self) -> bool {
        !self.event_middleware.is_empty() || !self.any.is_empty()
    }
}

/// An event's handler.
pub(super) struct KnownEvent {
    pub(super) handler: EventHandler,
    pub(super) metrics: Arc<EventMetrics>,
}
