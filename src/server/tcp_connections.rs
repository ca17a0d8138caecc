//! Counts TCP connections, in all and by address, from the moment they are accepted. Where the limit is reached, the
//! connection that has been idle for longest is closed to make room.

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

/// The part of the reserve for the metrics listener.
const FEW: Room = Room { connections: 12, leaving: 2 };

/// All connections.
pub(super) struct Connections {
    limits: Arc<Limits>,
    metrics: Metrics,
    room: Room,
    state: Mutex<State>,
    left: Notify,
}

/// How many connections the limit of open files allows.
#[derive(Debug, Clone, Copy)]
struct Room {
    connections: usize,
    /// How many more connections may be closing; as many again may be sending their last response.
    leaving: usize,
}

#[derive(Default)]
struct State {
    /// Connections that may stay.
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Idle ones among them, in the order in which they became idle.
    idle: BTreeMap<u64, Idle>,
    idle_by_address: BTreeSet<(IpAddr, u64)>,
    next: u64,
    /// Connections that were told to close, and whose tasks have not run since.
    leaving: usize,
    /// Connections that were told to close, and are sending their last response.
    lingering: usize,
}

struct Idle {
    address: Option<IpAddr>,
    close: Arc<Notify>,
}

/// The place of a connection; dropping it frees the place.
pub(super) struct Place {
    connections: Arc<Connections>,
    /// The address it counts for: the peer's, or that of the client whose request a trusted proxy forwards.
    address: Option<IpAddr>,
    is_proxied: bool,
    /// Whether a whole request has ever arrived, so that part of a response may still be unsent.
    has_begun: bool,
    /// Its position among the idle ones.
    idle: Option<u64>,
    /// Whether it was told to close; then it does not count among those that may stay.
    is_leaving: bool,
    /// Whether it is sending its last response.
    is_lingering: bool,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// This address has too many connections, none of them idle.
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
    /// Allows as many connections as the configuration and the limit of open files do. Logs where the latter is lower.
    pub(super) fn new(limits: Arc<Limits>, metrics: Metrics) -> Arc<Self> {
        let files = open_files::limit();
        let room = Room::of(files, open_files::count());
        let wanted = limits.config().connections;
        if wanted != 0 && room.connections < wanted {
            tracing::warn!(
                "limits.connections is {wanted}, but this process may have {files} files open, which is enough for {} connections: raise the hard limit (ulimit -Hn, LimitNOFILE)",
                room.connections
            );
        }
        Self::with(room, limits, metrics)
    }

    /// The connections of the metrics listener, which are few and count for no address.
    pub(super) fn few(limits: Arc<Limits>) -> Arc<Self> {
        Self::with(FEW, limits, Metrics::off())
    }

    fn with(room: Room, limits: Arc<Limits>, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self { limits, metrics, room, state: Mutex::default(), left: Notify::new() })
    }

    /// Takes a place for a connection, which is idle at first and must close when it is notified. Connections of
    /// trusted proxies count for no address.
    pub(super) fn admit(self: &Arc<Self>, address: Option<IpAddr>, close: &Arc<Notify>) -> Result<Place, Full> {
        let mut state = self.state.lock();
        let address = address.map(limits::network);
        if let Some(address) = address {
            self.make_room_for(address, &mut state)?;
        }
        let most = LimitsConfig::or_none(self.limits.config().connections);
        let most = most.saturating_add(limits::REFUSED).saturating_mul(PER_SOCKET).min(self.room.connections);
        if state.all >= most && !state.close_one_of(None) {
            self.metrics.limited("tcp-connections");
            return Err(Full::All);
        }
        state.all += 1;
        state.belongs_to(address);
        let is_proxied = address.is_none();
        let mut place = Place {
            connections: self.clone(),
            address,
            is_proxied,
            has_begun: false,
            idle: None,
            is_leaving: false,
            is_lingering: false,
        };
        place.wait_in(&mut state, close);
        self.gauge().set(state.all as f64);
        Ok(place)
    }

    /// Handles EMFILE and ENFILE: closes the connection that has been idle for longest.
    pub(super) fn give_one_up(&self) {
        self.state.lock().close_one_of(None);
    }

    /// Where many connections were told to close, waits until their tasks have run. Clients cannot prolong this:
    /// connections that send a last response are bounded and not waited for.
    pub(super) async fn settled(&self) {
        while self.state.lock().leaving >= self.room.leaving {
            // A place that is freed in between leaves a permit.
            self.left.notified().await;
        }
    }

    fn make_room_for(&self, address: IpAddr, state: &mut State) -> Result<(), Full> {
        let most = match self.limits.config().sockets_per_address {
            0 => return Ok(()),
            // Whatever is configured, some files are left to others.
            most => (most + limits::REFUSED).saturating_mul(PER_SOCKET).min((self.room.connections / 4 * 3).max(1)),
        };
        let count = state.by_address.get(&address).copied().unwrap_or(0);
        if count >= most && !state.close_one_of(Some(address)) {
            self.metrics.limited("tcp-connections-per-address");
            return Err(Full::Address);
        }
        Ok(())
    }

    fn gauge(&self) -> &Gauge {
        &self.metrics.tcp_connections
    }
}

impl Room {
    fn of(files: usize, open: usize) -> Self {
        let reserve = RESERVE.min(files / 4);
        Self { connections: files.saturating_sub(open + reserve).max(1), leaving: (reserve / 4).max(1) }
    }
}

impl State {
    /// Marks a place as busy; as closing, if it was told to close meanwhile.
    fn end_idle(&mut self, idle: &mut Option<u64>, is_leaving: &mut bool) {
        if let Some(number) = idle.take() {
            *is_leaving = self.forget_idle(number).is_none();
        }
    }

    fn belongs_to(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address {
            *self.by_address.entry(address).or_default() += 1;
        }
    }

    fn belongs_no_more_to(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address {
            limits::one_less(&mut self.by_address, &address);
        }
    }

    /// Removes a place from the idle ones; `None` where it was told to close.
    fn forget_idle(&mut self, number: u64) -> Option<Idle> {
        let idle = self.idle.remove(&number)?;
        if let Some(address) = idle.address {
            self.idle_by_address.remove(&(address, number));
        }
        Some(idle)
    }

    /// Tells the connection that has been idle for longest to close, among those of an address or all. False where none
    /// is idle.
    fn close_one_of(&mut self, address: Option<IpAddr>) -> bool {
        let number = match address {
            None => self.idle.first_key_value().map(|(number, _)| *number),
            Some(address) => {
                let first = self.idle_by_address.range((address, 0)..=(address, u64::MAX)).next();
                first.map(|(_, number)| *number)
            }
        };
        let Some(idle) = number.and_then(|number| self.forget_idle(number)) else { return false };
        self.all -= 1;
        self.belongs_no_more_to(idle.address);
        self.leaving += 1;
        idle.close.notify_one();
        true
    }
}

impl Place {
    /// A request or a WebSocket begins: the connection is busy, unless it was told to close already. Through a trusted
    /// proxy it counts for this client's address meanwhile.
    pub(super) fn work(&mut self, client: impl FnOnce() -> IpAddr) -> Result<(), Full> {
        let connections = self.connections.clone();
        let mut state = connections.state.lock();
        self.has_begun = true;
        state.end_idle(&mut self.idle, &mut self.is_leaving);
        if self.is_leaving {
            return Err(Full::All);
        }
        if self.is_proxied && self.address.is_none() {
            let address = limits::network(client());
            connections.make_room_for(address, &mut state)?;
            state.belongs_to(Some(address));
            self.address = Some(address);
        }
        Ok(())
    }

    /// The response has been sent: the connection is idle again.
    pub(super) fn wait(&mut self, close: &Arc<Notify>) {
        let connections = self.connections.clone();
        let mut state = connections.state.lock();
        if self.is_proxied && !self.is_leaving {
            state.belongs_no_more_to(self.address.take());
        }
        self.wait_in(&mut state, close);
    }

    /// The connection was told to close. True where it may take a moment to send a response; false where it has to be
    /// dropped at once.
    pub(super) fn may_linger(&mut self) -> bool {
        let mut state = self.connections.state.lock();
        state.end_idle(&mut self.idle, &mut self.is_leaving);
        if self.is_leaving && self.has_begun && state.lingering < self.connections.room.leaving {
            state.leaving -= 1;
            state.lingering += 1;
            self.is_lingering = true;
            self.connections.left.notify_one();
        }
        self.is_lingering
    }

    fn wait_in(&mut self, state: &mut State, close: &Arc<Notify>) {
        if self.is_leaving || self.idle.is_some() {
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

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.connections.state.lock();
        state.end_idle(&mut self.idle, &mut self.is_leaving);
        if self.is_lingering {
            state.lingering -= 1;
        } else if self.is_leaving {
            state.leaving -= 1;
            self.connections.left.notify_one();
        } else {
            state.all -= 1;
            state.belongs_no_more_to(self.address);
        }
        self.connections.gauge().set(state.all as f64);
    }
}

#[cfg(test)]
mod tests;
