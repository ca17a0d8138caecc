//! The registered handlers of a namespace, with their metrics. All sockets of the namespace share them.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::BoxFuture;

use super::{
    app_socket::{AppSocket, Job},
    call::Call,
    ctx::Ctx,
    middleware::{Entrant, Refusal},
};
use crate::{engine::DisconnectReason, error::Result, metrics::EventMetrics, protocol::Args};

/// Parses the arguments of an event at once, and returns the job that runs the event's handler.
pub(super) type Handler = Box<dyn Fn(&Arc<AppSocket>, Call, &Args<'_>) -> Job + Send + Sync>;
pub(super) type Middleware = Box<dyn Fn(Entrant) -> BoxFuture<'static, Result<(), Refusal>> + Send + Sync>;
/// A handler that runs after CONNECT, when the client goes away, or when the client comes back.
pub(super) type Connection = Box<dyn Fn(Ctx) -> BoxFuture<'static, Result<()>> + Send + Sync>;
pub(super) type Disconnect = Box<dyn Fn(Ctx, DisconnectReason) -> BoxFuture<'static, ()> + Send + Sync>;

/// The registered handlers of a namespace.
pub(super) struct Registered {
    pub(super) events: HashMap<Arc<str>, Event>,
    /// The metrics of relayed events, by event name.
    pub(super) relays: HashMap<Arc<str>, Arc<EventMetrics>>,
    /// Metrics of events without a handler, and of events refused because of `limits.events-in-flight`.
    pub(super) unknown: Arc<EventMetrics>,
    pub(super) middleware: Vec<Middleware>,
    pub(super) connection: Vec<Connection>,
    /// Handlers that run when the client has gone and may recover the socket.
    pub(super) away: Vec<Connection>,
    /// Handlers that run when the client has recovered the socket.
    pub(super) back: Vec<Connection>,
    pub(super) disconnect: Vec<Disconnect>,
}

/// An event's handler.
pub(super) struct Event {
    pub(super) handler: Handler,
    pub(super) metrics: Arc<EventMetrics>,
}
