//! The namespaces that clients may join: those of a path, of a pattern and of a function, with their handlers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::BoxFuture;
use matchit::{InsertError, Router};
use parking_lot::RwLock;
use serde_json::Value as Json;

use super::{events::Events, handler_set::HandlerSet};
use crate::{
    app::{App, ROOT},
    error::{Error, Result},
    hub::{Hub, Parent},
    input,
};

/// An application's function, which decides whether a client with this `auth` may join a namespace with this path.
pub(crate) type NamespaceTest = Box<dyn Fn(Arc<str>, Json) -> BoxFuture<'static, bool> + Send + Sync>;
/// Adds the handlers that every namespace of the server has.
pub(crate) type Complete = Box<dyn Fn(Events) -> Events + Send + Sync>;

/// What an application has declared: one namespace, or those of a pattern or function.
pub(super) struct Declared {
    pub(super) handlers: Arc<HandlerSet>,
    /// The pattern or function.
    pub(super) parent: Option<Arc<Parent>>,
    is_removed: AtomicBool,
}

impl Declared {
    fn new(app: &App, path: &str, parent: Option<Arc<Parent>>, events: Events) -> Arc<Self> {
        // Relayed events belong to the root namespace.
        let relays = if path == ROOT { app.config.relay.keys().cloned().collect() } else { Vec::new() };
        let handlers = Arc::new(events.with_metrics(&app.metrics, relays.into_iter()));
        Arc::new(Self { handlers, parent, is_removed: AtomicBool::new(false) })
    }

    /// Whether it was removed while the server ran.
    pub(super) fn is_removed(&self) -> bool {
        self.is_removed.load(Ordering::Relaxed)
    }
}

/// All that a server's application has declared.
pub(super) struct Table {
    /// By path or pattern.
    paths: RwLock<Router<Arc<Declared>>>,
    /// In the order in which they are asked.
    functions: Vec<(NamespaceTest, Arc<Declared>)>,
    complete: Complete,
}

impl Table {
    pub(super) fn new(app: &App, functions: Vec<(String, NamespaceTest, Events)>, complete: Complete) -> Self {
        let declared = |(name, test, events): (String, _, _)| {
            let parent = Parent::of_function(&name);
            (test, Declared::new(app, &name, Some(parent), complete(events)))
        };
        Self { paths: RwLock::default(), functions: functions.into_iter().map(declared).collect(), complete }
    }

    /// The table of a server. `None` before it is open.
    pub(super) fn of(app: &App) -> Option<&Arc<Self>> {
        app.handlers.get()?.downcast_ref()
    }

    /// Adds a namespace, or the namespaces of a pattern. Errors: `conflict` if the path or pattern has been added
    /// before, `bad-payload` if it is not valid.
    pub(super) fn add(&self, app: &App, path: &str, events: Events) -> Result<()> {
        let parent = Parent::of_pattern(path);
        let is_pattern = parent.is_some();
        let declared = Declared::new(app, path, parent, (self.complete)(events));
        let added = self.paths.write().insert(path, declared);
        added.map_err(|error| match error {
            InsertError::Conflict { .. } => Error::Conflict(format!("{path} is a namespace already")),
            _ => Error::BadPayload(format!("{path} cannot be a namespace: {error}")),
        })?;
        if !is_pattern {
            app.hubs.add(path);
        }
        Ok(())
    }

    /// Removes a namespace, or a pattern with all its namespaces, and disconnects their sockets. False if there is none.
    pub(super) fn remove(&self, app: &App, path: &str) -> bool {
        let declared = self.paths.write().remove(path);
        if let Some(declared) = &declared {
            declared.is_removed.store(true, Ordering::Relaxed);
        }
        let hubs = match declared.as_ref().and_then(|declared| declared.parent.as_ref()) {
            Some(parent) => app.hubs.children(&parent.name),
            None => app.hubs.get(path).into_iter().collect(),
        };
        for hub in &hubs {
            app.hubs.remove(hub.path());
            for socket in hub.sockets() {
                hub.kick(socket, false);
            }
        }
        declared.is_some() || !hubs.is_empty()
    }

    /// Whether clients may ask for a namespace of this path.
    pub(super) fn knows(&self, path: &str) -> bool {
        !self.functions.is_empty() || self.at(path).is_some()
    }

    fn at(&self, path: &str) -> Option<Arc<Declared>> {
        self.paths.read().at(path).ok().map(|found| found.value.clone())
    }

    /// The namespace of a socket of an earlier process. If a function has admitted its client, it is not asked again.
    pub(super) fn of_earlier_process(&self, path: &str, parent: Option<&str>) -> Option<Arc<Declared>> {
        let is_parent = |declared: &Declared| declared.parent.as_ref().is_some_and(|own| Some(&*own.name) == parent);
        let of_function = || self.functions.iter().map(|(_, declared)| declared).find(|declared| is_parent(declared));
        self.at(path).or_else(|| of_function().cloned())
    }

    /// Finds the namespace that a client asks for, with the `auth` of its CONNECT as JSON. If no path
    /// and no pattern matches, the functions are asked in order, again for every client. If the namespace exists
    /// already, only the function that has created it is asked.
    pub(super) async fn find(&self, app: &App, path: &Arc<str>, auth: &str) -> Option<Arc<Declared>> {
        if let Some(declared) = self.at(path) {
            return Some(declared);
        }
        let hub = app.hubs.get(path);
        let made_by = hub.as_deref().and_then(Hub::parent);
        let auth: Json = input::read(auth, "auth").unwrap_or_default();
        for (test, declared) in &self.functions {
            let is_asked = made_by.is_none_or(|made_by| declared.parent.as_deref().is_some_and(|own| own == made_by));
            if is_asked && test(path.clone(), auth.clone()).await {
                return Some(declared.clone());
            }
        }
        None
    }
}
