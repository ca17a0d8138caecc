//! The hubs of a server, by namespace.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::{RwLock, RwLockReadGuard};

use super::Hub;
use crate::{engine::Engine, metrics::Metrics};

/// The hubs of a server, by the paths of their namespaces. The hub of a dynamic namespace exists as long as the
/// namespace has sockets.
pub struct Hubs {
    engine: Arc<Engine>,
    metrics: Metrics,
    fixed: BTreeMap<String, Arc<Hub>>,
    /// The hubs of dynamic namespaces, with the number of sockets in each.
    dynamic: RwLock<BTreeMap<String, (Arc<Hub>, usize)>>,
}

impl Hubs {
    /// Creates the hubs of the namespaces that always exist.
    pub(crate) fn new<'a>(paths: impl Iterator<Item = &'a str>, engine: &Arc<Engine>, metrics: &Metrics) -> Self {
        let hub = |path: &str| (path.to_owned(), Hub::new(path, engine.clone(), metrics.clone()));
        let (engine, metrics) = (engine.clone(), metrics.clone());
        Self {
            fixed: paths.map(hub).collect(),
            engine: engine.clone(),
            metrics: metrics.clone(),
            dynamic: RwLock::default(),
        }
    }

    /// The hub of a namespace, if the namespace exists now.
    pub fn get(&self, path: &str) -> Option<Arc<Hub>> {
        self.fixed.get(path).cloned().or_else(|| Some(self.dynamic().get(path)?.0.clone()))
    }

    /// The hubs of all namespaces that exist now.
    pub fn all(&self) -> Vec<Arc<Hub>> {
        self.fixed.values().cloned().chain(self.dynamic().values().map(|(hub, _)| hub.clone())).collect()
    }

    /// The paths of all namespaces that exist now, sorted.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.fixed.keys().cloned().chain(self.dynamic().keys().cloned()).collect();
        paths.sort_unstable();
        paths
    }

    fn dynamic(&self) -> RwLockReadGuard<'_, BTreeMap<String, (Arc<Hub>, usize)>> {
        self.dynamic.read()
    }

    /// The hub for a new socket. Counts the socket if its namespace is dynamic: the first one creates the hub.
    pub(crate) fn enter(&self, path: &str) -> Arc<Hub> {
        if let Some(hub) = self.fixed.get(path) {
            return hub.clone();
        }
        let mut dynamic = self.dynamic.write();
        let (hub, sockets) = dynamic
            .entry(path.to_owned())
            .or_insert_with(|| (Hub::new(path, self.engine.clone(), self.metrics.clone()), 0));
        *sockets += 1;
        hub.clone()
    }

    /// A socket has left its namespace. If the namespace is dynamic, its last socket removes the hub.
    pub(crate) fn leave(&self, path: &str) {
        let mut dynamic = self.dynamic.write();
        if let Some((_, sockets)) = dynamic.get_mut(path) {
            *sockets -= 1;
            if *sockets == 0 {
                dynamic.remove(path);
            }
        }
    }
}
