//! The handlers of a namespace as they are served: with their metrics, shared by all its sockets.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::BoxFuture;

use super::{
    app_socket::{AppSocket, Job},
    call::Call,
    ctx::Ctx,
    middleware::{Entrant, Refusal},
};
use crate::{engine::DisconnectReason, error::Result, metrics::EventMetrics, protocol::Args};

/// Makes a job of an event: decodes it now, to be handled in its turn.
pub(super) type Handler = Box<dyn Fn(&Arc<AppSocket>, Call, &Args<'_>) -> Job + Send + Sync>;
pub(super) type Middleware = Box<dyn Fn(Entrant) -> BoxFuture<'static, Result<(), Refusal>> + Send + Sync>;
pub(super) type Connection = Box<dyn Fn(Ctx) -> BoxFuture<'static, Result<()>> + Send + Sync>;
pub(super) type Disconnect = Box<dyn Fn(Ctx, DisconnectReason) -> BoxFuture<'static, ()> + Send + Sync>;

/// The handlers of a namespace in service.
pub(super) struct Registered {
    pub(super) events: HashMap<Arc<str>, Event>,
    /// The names of relayed events.
    pub(super) relays: HashMap<Arc<str>, Arc<EventMetrics>>,
    /// Metrics of events without a handler.
    pub(super) unknown: Arc<EventMetrics>,
    pub(super) middleware: Vec<Middleware>,
    pub(super) connection: Vec<Connection>,
    pub(super) away: Vec<Connection>,
    pub(super) back: Vec<Connection>,
    pub(super) disconnect: Vec<Disconnect>,
}

/// An event's handler.
pub(super) struct Event {
    pub(super) handler: Handler,
    pub(super) metrics: Arc<EventMetrics>,
}
