//! The hubs of a server, by namespace.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::{RwLock, RwLockReadGuard};

use super::Hub;
use crate::{engine::Engine, metrics::Metrics};

/// The hubs of a server, by the paths of their namespaces. Those of dynamic namespaces come and go with their
/// sockets.
pub struct Hubs {
    engine: Arc<Engine>,
    metrics: Metrics,
    fixed: BTreeMap<String, Arc<Hub>>,
    dynamic: RwLock<BTreeMap<String, (Arc<Hub>, usize)>>,
}

impl Hubs {
    /// With the namespaces that are always there.
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

    /// The hub of a namespace, if there is such a namespace now.
    pub fn get(&self, path: &str) -> Option<Arc<Hub>> {
        self.fixed.get(path).cloned().or_else(|| Some(self.dynamic().get(path)?.0.clone()))
    }

    /// All hubs there are now.
    pub fn all(&self) -> Vec<Arc<Hub>> {
        self.fixed.values().cloned().chain(self.dynamic().values().map(|(hub, _)| hub.clone())).collect()
    }

    /// The paths of the namespaces there are now.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.fixed.keys().cloned().chain(self.dynamic().keys().cloned()).collect();
        paths.sort_unstable();
        paths
    }

    fn dynamic(&self) -> RwLockReadGuard<'_, BTreeMap<String, (Arc<Hub>, usize)>> {
        self.dynamic.read()
    }

    /// A socket enters a namespace, which comes to be with its first.
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

    /// A socket leaves a namespace, which goes with its last.
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
