//! Socket.IO's namespaces: sockets with typed events, and their handlers.
//!
//! The engine passes a client's CONNECT to socketioxide, which finds the namespace and calls its connect handler
//! (`admission`). After that, the engine passes the socket's events to its `dispatcher`, in the order of arrival. Each
//! event becomes a job in the socket's `queue`. `worker` runs the jobs, and `answer` acknowledges the events.

mod ack;
mod admission;
mod answer;
mod app_socket;
mod authenticator;
mod call;
mod credentials;
mod ctx;
mod dispatcher;
mod dynamic;
mod event_limits;
mod events;
mod handler_set;
mod lifecycle;
mod listeners;
mod middleware;
mod pending_write;
mod queue;
mod relay;
mod restore;
mod run_time;
mod sent_event;
mod table;
mod worker;

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use http_body_util::BodyExt;
use socketioxide::SocketIoBuilder;
use tower::Service;

pub use ack::Ack;
pub(crate) use authenticator::{Authenticator, authenticator};
pub use ctx::{Ctx, Timeout};
pub use events::Events;
pub use listeners::ListenerId;
pub use middleware::{Entrant, Refusal};
pub(crate) use restore::{Outcome, restore};
pub(crate) use table::{Complete, NamespaceTest};

use self::table::Table;
use crate::{
    app::{App, ROOT},
    engine::Library,
};

/// socketioxide must send no pings: the engine does.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Time after which socketioxide drops a connection that has no socket. The engine drops it earlier.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// The namespaces that are declared before the server is open.
pub(crate) struct Declarations {
    /// The path or pattern of each namespace, and its handlers.
    pub(crate) paths: Vec<(String, Events)>,
    /// Functions that decide which namespaces clients may join: the name, the function, and the handlers of its
    /// namespaces.
    pub(crate) functions: Vec<(String, NamespaceTest, Events)>,
    pub(crate) complete: Complete,
    /// The application's function that authenticates clients. `None`: the server checks their credentials.
    pub(crate) authenticator: Option<Authenticator>,
}

/// Creates the namespaces and opens the engine with them. socketioxide has only the root namespace: its connect handler
/// decides on the CONNECTs for all namespaces. So socketioxide stores nothing for a namespace whose only client was
/// refused.
pub(crate) fn open(app: &Arc<App>, declarations: Declarations) {
    let (service, io) = SocketIoBuilder::new()
        .ping_interval(NEVER)
        .ping_timeout(NEVER)
        .connect_timeout(CONNECT_TIMEOUT)
        .max_payload(u64::MAX)
        .build_svc();
    let table = Arc::new(Table::new(app, declarations.functions, declarations.complete));
    for (path, events) in declarations.paths {
        table.add(app, &path, events).unwrap_or_else(|error| panic!("{error}"));
    }
    assert!(app.handlers.set(Box::new(table.clone())).is_ok(), "a server is opened once");
    io.ns(ROOT, admission::Connect::new(app, &table, declarations.authenticator));
    let library: Library = Box::new(move |request| {
        let mut service = service.clone();
        async move {
            let response = service.call(request).await.ok()?;
            response.into_body().frame().await?.ok()?.into_data().ok()
        }
        .boxed()
    });
    app.engine.open(library, Box::new(move |path| table.knows(path)));
    for path in app.hubs.paths().iter().filter(|path| *path != ROOT) {
        app.hubs.announce(path);
    }
}
