//! Counts TCP connections, in total and by address, from when they are accepted. If a limit is reached, the connection
//! that has been idle for longest is closed to make room.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

use metrics::Gauge;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    config::LimitsConfig,
    limits::{self, Limits},
    metrics::Metrics,
    open_files,
};

/// TCP connections per socket: a polling client has one for its GET and one for its POST.
const PER_SOCKET: usize = 2;
/// File descriptors reserved for the store and for connections that are being closed or refused.
const RESERVE: usize = 64;

/// The capacity of the metrics listener, a part of the reserve.
const OPERATORS: Capacity = Capacity { connections: 12, closing: 2 };

/// The TCP connections of one listener.
pub(super) struct Connections {
    limits: Arc<Limits>,
    metrics: Metrics,
    capacity: Capacity,
    state: Mutex<State>,
    /// Notified when a connection that was told to close has closed, or is sending its last response.
    one_closed: Notify,
}

/// The number of connections that the limit of open files allows.
#[derive(Debug, Clone, Copy)]
struct Capacity {
    connections: usize,
    /// Number of connections that may be closing in addition. The same number again may be sending their last response.
    closing: usize,
}

#[derive(Default)]
struct State {
    /// Connections, without those that were told to close.
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Those of them that are idle, in the order in which they became idle.
    idle: BTreeMap<u64, Idle>,
    idle_by_address: BTreeSet<(IpAddr, u64)>,
    next: u64,
    /// Connections that were told to close and whose tasks have not run since.
    closing: usize,
    /// Connections that were told to close and are sending their last response.
    lingering: usize,
}

struct Idle {
    address: Option<IpAddr>,
    close: Arc<Notify>,
}

/// The permit of an open connection. Dropping it uncounts the connection.
pub(super) struct ConnectionPermit {
    connections: Arc<Connections>,
    /// The address that the connection counts for: the peer's, or that of the client whose request a trusted proxy
    /// forwards.
    address: Option<IpAddr>,
    is_proxied: bool,
    /// Whether a whole request has ever arrived, so that part of a response may still be unsent.
    has_begun: bool,
    /// The connection's key in `State::idle`, while it is idle.
    idle: Option<u64>,
    /// Whether the connection was told to close. It is not in `State::all` any more.
    is_closing: bool,
    /// Whether the connection is sending its last response.
    is_lingering: bool,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The address has too many connections, none of them idle.
    Address,
    /// There are too many connections, none of them idle.
    All,
}

impl Full {
    /// The message, for the client and the log.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Address => "too many connections from this address (limits.sockets-per-address)\n",
            Self::All => "too many connections (limits.connections)\n",
        }
    }
}

impl Connections {
    /// The connections of clients. Both `limits.connections` and the limit of open files apply. Logs a warning if the
    /// latter is lower.
    pub(super) fn new(limits: Arc<Limits>, metrics: Metrics) -> Arc<Self> {
        let files = open_files::limit();
        let capacity = Capacity::of(files, open_files::count());
        let wanted = limits.config().connections;
        if wanted != 0 && capacity.connections < wanted {
            tracing::warn!(
                "limits.connections is {wanted}, but this process may have {files} files open, which is enough for {} connections: raise the hard limit (ulimit -Hn, LimitNOFILE)",
                capacity.connections
            );
        }
        Self::with(capacity, limits, metrics)
    }

    /// The connections of the metrics listener. There may be only a few, and they are not counted by address.
    pub(super) fn for_operators(limits: Arc<Limits>) -> Arc<Self> {
        Self::with(OPERATORS, limits, Metrics::off())
    }

    fn with(capacity: Capacity, limits: Arc<Limits>, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self { limits, metrics, capacity, state: Mutex::default(), one_closed: Notify::new() })
    }

    /// Counts a new connection. It is idle at first, and must close when `close` is notified. `address` is `None` for a
    /// trusted proxy, whose connections count for the clients it forwards.
    pub(super) fn admit(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        close: &Arc<Notify>,
    ) -> Result<ConnectionPermit, Full> {
        let mut state = self.state.lock();
        let address = address.map(limits::network);
        if let Some(address) = address {
            self.make_room_for(address, &mut state)?;
        }
        let most = LimitsConfig::or_none(self.limits.config().connections);
        let most = most.saturating_add(limits::REFUSED).saturating_mul(PER_SOCKET).min(self.capacity.connections);
        if state.all >= most && !state.close_longest_idle(None) {
            self.metrics.limited("tcp-connections");
            return Err(Full::All);
        }
        state.all += 1;
        state.count(address);
        let is_proxied = address.is_none();
        let mut permit = ConnectionPermit {
            connections: self.clone(),
            address,
            is_proxied,
            has_begun: false,
            idle: None,
            is_closing: false,
            is_lingering: false,
        };
        permit.mark_idle(&mut state, close);
        self.gauge().set(state.all as f64);
        Ok(permit)
    }

    /// Handles EMFILE and ENFILE: closes the connection that has been idle for longest.
    pub(super) fn close_one_idle(&self) {
        self.state.lock().close_longest_idle(None);
    }

    /// Waits while too many connections were told to close and their tasks have not run since. Clients cannot prolong
    /// this: it does not wait for connections that are sending their last response, whose number is limited.
    pub(super) async fn wait_for_closing(&self) {
        while self.state.lock().closing >= self.capacity.closing {
            // If one closes before this, `Notify` keeps the notification.
            self.one_closed.notified().await;
        }
    }

    fn make_room_for(&self, address: IpAddr, state: &mut State) -> Result<(), Full> {
        let most = match self.limits.config().sockets_per_address {
            0 => return Ok(()),
            // One address may use at most three quarters of the capacity, whatever the setting is.
            most => (most + limits::REFUSED).saturating_mul(PER_SOCKET).min((self.capacity.connections / 4 * 3).max(1)),
        };
        let count = state.by_address.get(&address).copied().unwrap_or(0);
        if count >= most && !state.close_longest_idle(Some(address)) {
            self.metrics.limited("tcp-connections-per-address");
            return Err(Full::Address);
        }
        Ok(())
    }

    fn gauge(&self) -> &Gauge {
        &self.metrics.tcp_connections
    }
}

impl Capacity {
    fn of(files: usize, open: usize) -> Self {
        let reserve = RESERVE.min(files / 4);
        Self { connections: files.saturating_sub(open + reserve).max(1), closing: (reserve / 4).max(1) }
    }
}

impl State {
    /// Marks a connection as busy, or as closing if it was told to close.
    fn end_idle(&mut self, idle: &mut Option<u64>, is_closing: &mut bool) {
        if let Some(number) = idle.take() {
            *is_closing = self.remove_idle(number).is_none();
        }
    }

    fn count(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address {
            *self.by_address.entry(address).or_default() += 1;
        }
    }

    fn uncount(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address {
            limits::one_less(&mut self.by_address, &address);
        }
    }

    /// Removes a connection from the idle ones. `None` if it was told to close.
    fn remove_idle(&mut self, number: u64) -> Option<Idle> {
        let idle = self.idle.remove(&number)?;
        if let Some(address) = idle.address {
            self.idle_by_address.remove(&(address, number));
        }
        Some(idle)
    }

    /// Tells the connection that has been idle for longest to close: of an address, or of all. False if none is idle.
    fn close_longest_idle(&mut self, address: Option<IpAddr>) -> bool {
        let number = match address {
            None => self.idle.first_key_value().map(|(number, _)| *number),
            Some(address) => {
                let first = self.idle_by_address.range((address, 0)..=(address, u64::MAX)).next();
                first.map(|(_, number)| *number)
            }
        };
        let Some(idle) = number.and_then(|number| self.remove_idle(number)) else { return false };
        self.all -= 1;
        self.uncount(idle.address);
        self.closing += 1;
        idle.close.notify_one();
        true
    }
}

impl ConnectionPermit {
    /// Marks the connection as busy, for a request or a WebSocket. Fails if it was told to close. A trusted proxy's
    /// connection counts for the client's address until it is idle again.
    pub(super) fn begin_request(&mut self, client: impl FnOnce() -> IpAddr) -> Result<(), Full> {
        let connections = self.connections.clone();
        let mut state = connections.state.lock();
        self.has_begun = true;
        state.end_idle(&mut self.idle, &mut self.is_closing);
        if self.is_closing {
            return Err(Full::All);
        }
        if self.is_proxied && self.address.is_none() {
            let address = limits::network(client());
            connections.make_room_for(address, &mut state)?;
            state.count(Some(address));
            self.address = Some(address);
        }
        Ok(())
    }

    /// Marks the connection as idle again, after a response was sent.
    pub(super) fn become_idle(&mut self, close: &Arc<Notify>) {
        let connections = self.connections.clone();
        let mut state = connections.state.lock();
        if self.is_proxied && !self.is_closing {
            state.uncount(self.address.take());
        }
        self.mark_idle(&mut state, close);
    }

    /// Whether a connection that was told to close may finish sending its last response. If not, it has to be dropped
    /// at once.
    pub(super) fn may_linger(&mut self) -> bool {
        let mut state = self.connections.state.lock();
        state.end_idle(&mut self.idle, &mut self.is_closing);
        if self.is_closing && self.has_begun && state.lingering < self.connections.capacity.closing {
            state.closing -= 1;
            state.lingering += 1;
            self.is_lingering = true;
            self.connections.one_closed.notify_one();
        }
        self.is_lingering
    }

    fn mark_idle(&mut self, state: &mut State, close: &Arc<Notify>) {
        if self.is_closing || self.idle.is_some() {
            return;
        }
        let number = state.next;
        state.next += 1;
        state.idle.insert(number, Idle { address: self.address, close: close.clone() });
        if let Some(address) = self.address {
            state.idle_by_address.insert((address, number));
        }
        self.idle = Some(number);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut state = self.connections.state.lock();
        state.end_idle(&mut self.idle, &mut self.is_closing);
        if self.is_lingering {
            state.lingering -= 1;
        } else if self.is_closing {
            state.closing -= 1;
            self.connections.one_closed.notify_one();
        } else {
            state.all -= 1;
            state.uncount(self.address);
        }
        self.connections.gauge().set(state.all as f64);
    }
}

#[cfg(test)]
mod tests;
