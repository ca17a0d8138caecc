//! Socket.IO's namespaces: sockets with typed events, and their handlers.
//!
//! The engine brings a client's CONNECT to the library, which finds the namespace and runs its connect handlers
//! (`connect`). From then on the engine hands the socket's events to its `dispatcher`, in the order of arrival. Each
//! becomes a job in the socket's `queue`, which `run` works on; `answer` acknowledges it.

mod admission;
mod answer;
mod app_socket;
mod call;
mod credentials;
mod ctx;
mod dispatcher;
mod event_limits;
mod events;
mod lifecycle;
mod middleware;
mod pending;
mod queue;
mod registered;
mod relay;
mod worker;

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use http_body_util::BodyExt;
use socketioxide::SocketIoBuilder;
use tower::Service;

pub use ctx::Ctx;
pub use events::Events;
pub use middleware::{Entrant, Refusal};

use crate::{app::App, engine::Library};

/// The library sends no pings: the engine does.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// When the library drops a connection without a socket: later than the engine does.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// Makes the namespaces and opens the engine with them. A path such as `/orders-{id}` stands for many namespaces. The
/// library knows only the pattern: it keeps nothing for a namespace whose only client was refused.
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
        io.ns(path.clone(), admission::Connect::new(app, &path, events));
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
