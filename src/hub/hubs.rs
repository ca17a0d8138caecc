//! The hubs of all namespaces of a server.

use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

use parking_lot::RwLock;

use super::{Hub, parent::Parent};
use crate::{engine::Engine, metrics::Metrics, protocol::ReplyForm};

/// Takes the path of a namespace that has appeared.
type Appeared = Box<dyn Fn(&str) + Send + Sync>;

/// The hubs of a server, by the paths of their namespaces.
pub struct Hubs {
    engine: Arc<Engine>,
    metrics: Metrics,
    reply_form: ReplyForm,
    settings: HubSettings,
    namespaces: RwLock<BTreeMap<String, Entry>>,
}

/// How namespaces come and go.
#[derive(Default)]
pub(crate) struct HubSettings {
    /// The paths of the namespaces that are there from the start.
    pub(crate) fixed: Vec<String>,
    /// Whether the namespaces of patterns and functions outlive their last sockets.
    pub(crate) keeps_empty_children: bool,
    /// Runs when a namespace appears, with its path and without locks held.
    pub(crate) appeared: Option<Appeared>,
}

/// A namespace that exists.
struct Entry {
    hub: Arc<Hub>,
    /// The number of its sockets.
    sockets: usize,
    /// Whether it outlives its last socket.
    is_kept: bool,
}

impl Hubs {
    /// Creates the hubs of the namespaces that are there from the start.
    pub(crate) fn new(engine: &Arc<Engine>, metrics: &Metrics, reply_form: ReplyForm, settings: HubSettings) -> Self {
        let (engine, metrics) = (engine.clone(), metrics.clone());
        let hubs = Self { engine, metrics, reply_form, settings, namespaces: RwLock::default() };
        let fixed = hubs.settings.fixed.iter().map(|path| (path.clone(), hubs.entry(path, None, true))).collect();
        *hubs.namespaces.write() = fixed;
        hubs
    }

    fn entry(&self, path: &str, parent: Option<&Arc<Parent>>, is_kept: bool) -> Entry {
        let hub = Hub::new(path, parent.cloned(), self.engine.clone(), self.metrics.clone(), self.reply_form);
        Entry { hub, sockets: 0, is_kept }
    }

    /// The hub of a namespace, if the namespace exists now.
    pub fn get(&self, path: &str) -> Option<Arc<Hub>> {
        self.namespaces.read().get(path).map(|entry| entry.hub.clone())
    }

    /// The hubs of all namespaces that exist now.
    pub fn all(&self) -> Vec<Arc<Hub>> {
        self.namespaces.read().values().map(|entry| entry.hub.clone()).collect()
    }

    /// The paths of all namespaces that exist now, sorted.
    pub fn paths(&self) -> Vec<String> {
        self.namespaces.read().keys().cloned().collect()
    }

    /// The hubs of the namespaces that this pattern, or the function with this name, has created.
    pub(crate) fn children(&self, parent: &str) -> Vec<Arc<Hub>> {
        let namespaces = self.namespaces.read();
        let hubs = namespaces.values().map(|entry| &entry.hub);
        hubs.filter(|hub| hub.parent().is_some_and(|own| &*own.name == parent)).cloned().collect()
    }

    /// Says that a namespace has appeared.
    pub(crate) fn announce(&self, path: &str) {
        if let Some(appeared) = &self.settings.appeared {
            appeared(path);
        }
    }

    /// Makes a namespace that outlives its sockets, unless it is there already.
    pub(crate) fn add(&self, path: &str) {
        match self.namespaces.write().entry(path.to_owned()) {
            btree_map::Entry::Occupied(mut there) => {
                there.get_mut().is_kept = true;
                return;
            }
            btree_map::Entry::Vacant(vacant) => drop(vacant.insert(self.entry(path, None, true))),
        }
        self.announce(path);
    }

    /// Removes a namespace as soon as it has no sockets. Returns its hub; `None` if there is no such namespace.
    pub(crate) fn remove(&self, path: &str) -> Option<Arc<Hub>> {
        let mut namespaces = self.namespaces.write();
        let entry = namespaces.get_mut(path)?;
        entry.is_kept = false;
        let hub = entry.hub.clone();
        if entry.sockets == 0 {
            namespaces.remove(path);
        }
        Some(hub)
    }

    /// The hub for a new socket, which is counted. The first socket of a pattern's or function's namespace makes it.
    pub(crate) fn enter(&self, path: &str, parent: Option<&Arc<Parent>>) -> Arc<Hub> {
        let (hub, is_new) = {
            let mut namespaces = self.namespaces.write();
            let is_new = !namespaces.contains_key(path);
            let new = || self.entry(path, parent, parent.is_some() && self.settings.keeps_empty_children);
            let entry = namespaces.entry(path.to_owned()).or_insert_with(new);
            entry.sockets += 1;
            (entry.hub.clone(), is_new)
        };
        if is_new {
            self.announce(path);
        }
        hub
    }

    /// A socket has left its namespace. The last one removes a namespace that is not kept.
    pub(crate) fn leave(&self, path: &str) {
        let mut namespaces = self.namespaces.write();
        if let Some(entry) = namespaces.get_mut(path) {
            entry.sockets -= 1;
            if entry.sockets == 0 && !entry.is_kept {
                namespaces.remove(path);
            }
        }
    }
}
