//! The sockets that clients may recover, and which of them are away: how many and how much of them is kept.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Weak},
};

use parking_lot::{Mutex, MutexGuard};

use super::settings::Recovery;
use crate::{
    metrics::Metrics,
    model::{SocketId, UserId},
};

/// Recoverable sockets by `pid`, and those that are away in the order in which they went. `S` is the socket: this file
/// keeps sockets and never looks into them, so that sockets can hold it.
pub(super) struct AwaySockets<S> {
    settings: Recovery,
    metrics: Metrics,
    state: Mutex<State<S>>,
}

struct State<S> {
    by_pid: HashMap<String, Weak<S>>,
    next: u64,
    /// By the order in which they went.
    away: BTreeMap<u64, Arc<S>>,
    places: HashMap<SocketId, u64>,
    of_user: HashMap<UserId, VecDeque<u64>>,
}

impl<S> AwaySockets<S> {
    pub(super) fn new(settings: Recovery, metrics: Metrics) -> Self {
        let state = State {
            by_pid: HashMap::new(),
            next: 0,
            away: BTreeMap::new(),
            places: HashMap::new(),
            of_user: HashMap::new(),
        };
        Self { settings, metrics, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock()
    }

    /// Makes a socket known under the `pid` that its client was sent.
    pub(super) fn know(&self, pid: &str, socket: &Arc<S>) {
        self.state().by_pid.insert(pid.to_owned(), Arc::downgrade(socket));
    }

    /// Forgets a `pid`.
    pub(super) fn forget(&self, pid: &str) {
        self.state().by_pid.remove(pid);
    }

    /// The socket of a `pid`, away or connected.
    pub(super) fn find(&self, pid: &str) -> Option<Arc<S>> {
        self.state().by_pid.get(pid)?.upgrade()
    }

    /// Adds a socket that has gone away. Returns those that must be given up to keep the bounds.
    #[must_use]
    pub(super) fn add(&self, id: SocketId, socket: &Arc<S>, user: UserId) -> Vec<Arc<S>> {
        self.metrics.away.increment(1);
        let mut state = self.state();
        let place = state.next;
        state.next += 1;
        state.away.insert(place, socket.clone());
        state.places.insert(id, place);
        let mut evicted = Vec::new();
        let places = state.of_user.entry(user).or_default();
        places.push_back(place);
        if places.len() > self.settings.sockets_per_user
            && let Some(oldest) = places.front().copied()
        {
            evicted.extend(state.away.get(&oldest).cloned());
        }
        if state.away.len() - evicted.len() > self.settings.sockets {
            evicted.extend(state.away.values().next().cloned());
        }
        evicted
    }

    /// Removes a socket that is away no longer.
    pub(super) fn remove(&self, id: SocketId, user: &UserId) {
        let mut state = self.state();
        let Some(place) = state.places.remove(&id) else { return };
        let removed = state.away.remove(&place);
        if let Some(places) = state.of_user.get_mut(user) {
            places.retain(|other| *other != place);
            if places.is_empty() {
                state.of_user.remove(user);
            }
        }
        drop(state);
        drop(removed);
        self.metrics.away.decrement(1);
    }

    /// The socket that has been away longest.
    pub(super) fn oldest(&self) -> Option<Arc<S>> {
        self.state().away.values().next().cloned()
    }

    /// All sockets that are away.
    pub(super) fn all(&self) -> Vec<Arc<S>> {
        self.state().away.values().cloned().collect()
    }

    /// All recoverable sockets, away or connected.
    pub(super) fn all_recoverable(&self) -> Vec<Arc<S>> {
        self.state().by_pid.values().filter_map(Weak::upgrade).collect()
    }
}
