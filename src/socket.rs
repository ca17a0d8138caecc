//! Socket.IO above the library: what it does that must be absorbed is absorbed in this folder, once.
//!
//! A socket's events go through a queue of its own (`queue`), because the library runs each in a task of its
//! own and so out of order. They are received by one fallback handler, attached in the connect middleware
//! (`connect`), because CONNECT reaches the client before any connect handler has run.

mod adapter;
mod connect;
mod credentials;
mod ctx;
mod events;
mod queue;
mod reason;
mod receive;
mod relay;

use std::{sync::Arc, time::Duration};

use axum::Router;
use socketioxide::{ParserConfig, SocketIo, SocketIoBuilder, socket::Socket as LibrarySocket};

pub use credentials::ClientAddress;
pub use ctx::Ctx;
pub use events::Events;
pub use reason::DisconnectReason;

use crate::{
    app::App,
    config::{Config, LimitsConfig},
};

/// The one adapter; everything else uses these aliases.
type Adapter = adapter::HubAdapter;
type Socket = LibrarySocket<Adapter>;
/// The library's handle on all its sockets.
pub(crate) type Io = SocketIo<Adapter>;

/// Packets that wait for a slow client; what does not fit is lost and counted.
const MAX_BUFFER_SIZE: usize = 4096;
/// A client that has opened a connection must name a namespace within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the transports may take to close at the end of a drain.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Stands for no limit, where the library wants a number it can do sums with.
const NO_LIMIT: usize = isize::MAX as usize;

/// Closes the transports of all sockets without a DISCONNECT, so that unchanged clients come back. The library
/// forgets its namespaces first and so calls no disconnect handler: that is done here.
pub(crate) async fn close(app: &App, io: &Io) {
    let namespaces = app.hubs.keys().filter_map(|path| io.of(path));
    let sockets: Vec<_> = namespaces.flat_map(|namespace| namespace.sockets()).collect();
    // A connection whose client reads nothing cannot be closed properly; it ends with the process.
    if tokio::time::timeout(CLOSE_TIMEOUT, io.close()).await.is_err() {
        tracing::warn!("some connections did not close in time");
    }
    for socket in sockets {
        if let Some(conn) = socket.extensions.get::<Arc<connect::Conn>>() {
            queue::Queue::end(&conn, DisconnectReason::ServerShuttingDown, || ());
        }
    }
}

/// The route of Socket.IO with its namespaces, and the library's handle.
pub(crate) fn routes(app: &Arc<App>, namespaces: Vec<(String, Events)>) -> (Router, Io) {
    let Config { server, limits, .. } = &app.config;
    let payload = LimitsConfig::or_none(limits.payload_bytes).min(NO_LIMIT);
    let (service, io) = SocketIoBuilder::new()
        .req_path(server.path.clone())
        .ping_interval(server.ping_interval)
        .ping_timeout(server.ping_timeout)
        .connect_timeout(CONNECT_TIMEOUT)
        .max_buffer_size(MAX_BUFFER_SIZE)
        .max_payload(payload as u64)
        .ws_max_message_size(payload)
        .ws_max_frame_size(payload)
        .ws_read_buffer_size(4096)
        // Attachments in all are bounded with the event they belong to, where it can be answered.
        .with_parser(ParserConfig::common().max_incoming_binary_buf_size(payload.saturating_mul(2).min(NO_LIMIT)))
        .with_adapter::<Adapter>(app.hubs.clone())
        .build_svc();
    for (path, events) in namespaces {
        io.ns(path.clone(), connect::Connect::new(app, &path, events));
    }
    let routes = Router::new()
        .route_service(&server.path, service.clone())
        .route_service(&format!("{}/", server.path), service.clone())
        .route_service(&format!("{}/{{*rest}}", server.path), service);
    (routes, io)
}
