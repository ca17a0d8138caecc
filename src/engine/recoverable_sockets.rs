//! All sockets that clients may recover, by `pid`, and which of them are away. Limits the number of away sockets.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Weak},
};

use parking_lot::{Mutex, MutexGuard};

use super::{reason::DisconnectReason, settings::RecoverySettings};
use crate::{
    metrics::Metrics,
    model::{SocketId, UserId},
};

/// Recoverable sockets. `S` is the type of a socket. It is a type parameter, because `socket.rs` imports this file, so
/// this file cannot import `socket.rs`.
pub(super) struct RecoverableSockets<S> {
    settings: RecoverySettings,
    metrics: Metrics,
    state: Mutex<State<S>>,
}

struct State<S> {
    by_pid: HashMap<String, Weak<S>>,
    next_number: u64,
    /// The sockets that are away, by sequence number: the first socket has been away longest.
    away: BTreeMap<u64, Arc<S>>,
    /// The sequence number of each socket that is away.
    numbers: HashMap<SocketId, u64>,
    /// The sequence numbers of each user's sockets that are away, oldest first.
    by_user: HashMap<UserId, VecDeque<u64>>,
}

impl<S> RecoverableSockets<S> {
    pub(super) fn new(settings: RecoverySettings, metrics: Metrics) -> Self {
        let state = State {
            by_pid: HashMap::new(),
            next_number: 0,
            away: BTreeMap::new(),
            numbers: HashMap::new(),
            by_user: HashMap::new(),
        };
        Self { settings, metrics, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock()
    }

    /// Adds a socket under the `pid` that its client was sent.
    pub(super) fn add_pid(&self, pid: &str, socket: &Arc<S>) {
        self.state().by_pid.insert(pid.to_owned(), Arc::downgrade(socket));
    }

    /// Removes a `pid`, after the end of its socket.
    pub(super) fn remove_pid(&self, pid: &str) {
        self.state().by_pid.remove(pid);
    }

    /// The socket with this `pid`, away or connected.
    pub(super) fn find(&self, pid: &str) -> Option<Arc<S>> {
        self.state().by_pid.get(pid)?.upgrade()
    }

    /// Adds a socket that has gone away for this reason. Returns the sockets that the caller must end so that the limits
    /// hold. At a restart they do not apply: all clients are away then.
    #[must_use]
    pub(super) fn add_away(
        &self,
        id: SocketId,
        socket: &Arc<S>,
        user: UserId,
        reason: DisconnectReason,
    ) -> Vec<Arc<S>> {
        self.metrics.away.increment(1);
        let mut state = self.state();
        let number = state.next_number;
        state.next_number += 1;
        state.away.insert(number, socket.clone());
        state.numbers.insert(id, number);
        let mut evicted = Vec::new();
        let of_user = state.by_user.entry(user).or_default();
        of_user.push_back(number);
        if reason == DisconnectReason::ServerShuttingDown {
            return evicted;
        }
        if of_user.len() > self.settings.sockets_per_user
            && let Some(oldest) = of_user.front().copied()
        {
            evicted.extend(state.away.get(&oldest).cloned());
        }
        if state.away.len() - evicted.len() > self.settings.sockets {
            evicted.extend(state.away.values().next().cloned());
        }
        evicted
    }

    /// Removes a socket that is no longer away.
    pub(super) fn remove_away(&self, id: SocketId, user: &UserId) {
        let mut state = self.state();
        let Some(number) = state.numbers.remove(&id) else { return };
        let removed = state.away.remove(&number);
        if let Some(of_user) = state.by_user.get_mut(user) {
            of_user.retain(|other| *other != number);
            if of_user.is_empty() {
                state.by_user.remove(user);
            }
        }
        drop(state);
        drop(removed);
        self.metrics.away.decrement(1);
    }

    /// The socket that has been away longest.
    pub(super) fn oldest_away(&self) -> Option<Arc<S>> {
        self.state().away.values().next().cloned()
    }

    /// All sockets that are away.
    pub(super) fn all_away(&self) -> Vec<Arc<S>> {
        self.state().away.values().cloned().collect()
    }

    /// All recoverable sockets, away or connected.
    pub(super) fn all(&self) -> Vec<Arc<S>> {
        self.state().by_pid.values().filter_map(Weak::upgrade).collect()
    }
}
