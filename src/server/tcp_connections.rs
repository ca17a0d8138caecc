//! How many TCP connections there are, in all and from each address, from the moment in which they are accepted. Where
//! there is no room for another one, the one that has been idle for longest is closed for it.

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

/// Connections that one socket may take: while it polls, one that waits and one that sends.
const PER_SOCKET: usize = 2;
/// Files that are kept for other things: connections that are being closed or refused, files of the store.
const RESERVE: usize = 64;

/// What those who read the metrics have of the reserve.
const FEW: Room = Room { connections: 12, leaving: 2 };

/// All connections.
pub(super) struct Connections {
    limits: Arc<Limits>,
    metrics: Metrics,
    room: Room,
    state: Mutex<State>,
    left: Notify,
}

/// What the limit of open files has room for.
#[derive(Debug, Clone, Copy)]
struct Room {
    connections: usize,
    /// Connections that may be on their way out beside these; as many again may send their last answer.
    leaving: usize,
}

#[derive(Default)]
struct State {
    /// Those that may stay.
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Those of them that may be closed, the one that has been idle for longest first.
    idle: BTreeMap<u64, Idle>,
    idle_by_address: BTreeSet<(IpAddr, u64)>,
    next: u64,
    /// Those that were told to close, and whose tasks have not run since.
    leaving: usize,
    /// Those that were told to close, and still send their last answer.
    lingering: usize,
}

struct Idle {
    address: Option<IpAddr>,
    close: Arc<Notify>,
}

/// A connection's place; dropping it frees it.
pub(super) struct Place {
    connections: Arc<Connections>,
    /// Whose it is: the peer's, or that of the client for whom a trusted proxy asks at this moment.
    address: Option<IpAddr>,
    is_proxied: bool,
    /// A request has arrived whole at some time: part of an answer may not have left yet.
    has_begun: bool,
    /// Where it stands among those that are idle.
    idle: Option<u64>,
    /// It was told to close, and is not counted among those that may stay.
    is_leaving: bool,
    /// It sends its last answer.
    is_lingering: bool,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// This address has too many, none of them idle.
    Address,
    /// There are too many, none of them idle.
    All,
}

impl Full {
    /// For the client, and for the log.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Address => "too many connections from this address (limits.sockets-per-address)\n",
            Self::All => "too many connections (limits.connections)\n",
        }
    }
}

impl Connections {
    /// As many as the configuration and the limit of open files allow. Says so where the latter is too small.
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

    /// A few, of those who read the metrics. They are in nobody's count.
    pub(super) fn few(limits: Arc<Limits>) -> Arc<Self> {
        Self::with(FEW, limits, Metrics::off())
    }

    fn with(room: Room, limits: Arc<Limits>, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self { limits, metrics, room, state: Mutex::default(), left: Notify::new() })
    }

    /// Lets a connection in. It is idle until it says otherwise, and has to close when it is notified. Those of trusted
    /// proxies have no address of their own.
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

    /// The system has no file for another one, whatever was counted: the longest idle one gives its own.
    pub(super) fn give_one_up(&self) {
        self.state.lock().close_one_of(None);
    }

    /// Waits until the tasks of connections that were told to close have run, where there are many of them. No client
    /// can make this long: how many may send a last answer is bounded, and they are not waited for.
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
    /// A place is idle no more. It is leaving if it was told to close meanwhile.
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

    /// Takes it out of those that are idle; `None` where it was told to close.
    fn forget_idle(&mut self, number: u64) -> Option<Idle> {
        let idle = self.idle.remove(&number)?;
        if let Some(address) = idle.address {
            self.idle_by_address.remove(&(address, number));
        }
        Some(idle)
    }

    /// Tells the one that has been idle for longest to close, of this address or of all. Whether there is one.
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
    /// A request begins, or a WebSocket: from now on it is not closed for others, unless it was told so already. Through
    /// a trusted proxy it is this client's for as long.
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

    /// A request is answered, and it may be closed for others.
    pub(super) fn wait(&mut self, close: &Arc<Notify>) {
        let connections = self.connections.clone();
        let mut state = connections.state.lock();
        if self.is_proxied && !self.is_leaving {
            state.belongs_no_more_to(self.address.take());
        }
        self.wait_in(&mut state, close);
    }

    /// It was told to close. Whether it may take a moment for an answer that has not left yet; where not, it has to be
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
