//! Socket.IO above the library: sockets with typed events.
//!
//! The engine brings a client's CONNECT to the library, which finds the namespace and runs its connect handlers
//! (`connect`). From then on the engine hands the socket's events to `receive`, in the order of arrival, and they
//! go through a queue of the socket's own (`queue`).

mod app_socket;
mod connect;
mod credentials;
mod ctx;
mod events;
mod middleware;
mod queue;
mod receive;
mod relay;

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use http_body_util::BodyExt;
use socketioxide::{SocketIoBuilder, adapter::LocalAdapter, socket::Socket as LibrarySocket};
use tower::Service;

pub use ctx::Ctx;
pub use events::Events;
pub use middleware::{Entrant, Refusal};

use crate::{app::App, engine::Library};

type OfLibrary = LibrarySocket<LocalAdapter>;

/// The library has no pings of its own to send: the engine knows who is still there.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// How long an application's middleware may take.
const ADMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// When the library gives up a socket that it has let in nowhere: later than anything else does.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// Makes the namespaces and opens the engine with them. A path such as `/orders-{id}` stands for many namespaces;
/// the library knows them all by the pattern, so that whoever is refused leaves nothing behind.
pub(crate) fn open(app: &Arc<App>, namespaces: Vec<(String, Events)>) {
    let (service, io) = SocketIoBuilder::new()
        .ping_interval(NEVER)
        .ping_timeout(NEVER)
        .connect_timeout(CONNECT_TIMEOUT)
        .max_payload(u64::MAX)
        .build_svc();
    let mut routes = matchit::Router::new();
    for (path, events) in namespaces {
        routes.insert(path.clone(), path.clone()).expect("a path, and no two that contradict each other");
        io.ns(path.clone(), connect::Connect::new(app, &path, events));
    }
    let library: Library = Box::new(move |request| {
        let mut service = service.clone();
        async move {
            let response = service.call(request).await.ok()?;
            response.into_body().frame().await?.ok()?.into_data().ok()
        }
        .boxed()
    });
    app.engine.open(library, routes);
}
