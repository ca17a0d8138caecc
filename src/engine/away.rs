//! The sockets whose clients have gone and may come back: how many and how much of them is kept.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Weak},
};

use parking_lot::{Mutex, MutexGuard};

use super::{Recovery, socket::Socket};
use crate::{metrics::Metrics, model::SocketId, model::UserId};

/// By what a client names the socket it comes back to, and in the order of their going.
pub(super) struct AwaySockets {
    settings: Recovery,
    metrics: Metrics,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    by_pid: HashMap<String, Weak<Socket>>,
    next: u64,
    /// By the order of their going.
    away: BTreeMap<u64, Arc<Socket>>,
    places: HashMap<SocketId, u64>,
    of_user: HashMap<UserId, VecDeque<u64>>,
}

impl AwaySockets {
    pub(super) fn new(settings: Recovery, metrics: Metrics) -> Self {
        Self { settings, metrics, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// A client was told a `pid`.
    pub(super) fn know(&self, pid: &str, socket: &Arc<Socket>) {
        self.state().by_pid.insert(pid.to_owned(), Arc::downgrade(socket));
    }

    pub(super) fn forget(&self, pid: &str) {
        self.state().by_pid.remove(pid);
    }

    /// The socket that a client means.
    pub(super) fn find(&self, pid: &str) -> Option<Arc<Socket>> {
        self.state().by_pid.get(pid)?.upgrade()
    }

    /// A socket's client has gone. Returns those that have to make room for it.
    #[must_use]
    pub(super) fn add(&self, socket: &Arc<Socket>, user: UserId) -> Vec<Arc<Socket>> {
        self.metrics.away.increment(1);
        let mut state = self.state();
        let place = state.next;
        state.next += 1;
        state.away.insert(place, socket.clone());
        state.places.insert(socket.id, place);
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

    /// A socket is away no longer.
    pub(super) fn remove(&self, socket: &Socket, user: &UserId) {
        let mut state = self.state();
        let Some(place) = state.places.remove(&socket.id) else { return };
        state.away.remove(&place);
        if let Some(places) = state.of_user.get_mut(user) {
            places.retain(|other| *other != place);
            if places.is_empty() {
                state.of_user.remove(user);
            }
        }
        drop(state);
        self.metrics.away.decrement(1);
    }

    /// The one that went first.
    pub(super) fn oldest(&self) -> Option<Arc<Socket>> {
        self.state().away.values().next().cloned()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Socket>> {
        self.state().away.values().cloned().collect()
    }
}
