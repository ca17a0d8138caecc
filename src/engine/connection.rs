//! One client's connection: a session of Engine.IO, over polling or a WebSocket, or a WebSocket alone. It dies with
//! the network; the sockets that speak through it may outlive it.

mod end;
mod intake;
mod poll;
mod upgrade;

use std::{
    ops::ControlFlow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize},
    },
    time::Instant,
};

use bytes::Bytes;
use governor::DefaultDirectRateLimiter;
use parking_lot::{Mutex, MutexGuard};

use super::{
    DisconnectReason, Engine, Handshake, Protocol,
    assembly::{Assembly, Refused},
    diagnosis,
    flush::PendingFlush,
    frame::Frame,
    heartbeat::{Beat, Due},
    output::{Flushed, Output, Pushed, Transport},
    payload,
    plain::Verdict,
    pressure::{Received, ReceivedCharge, Share},
    socket::Socket,
    timers::{Ticket, Timer},
    wire::Wire,
};
pub(super) use intake::{Admission, Intake};

use crate::limits::Waiting;

/// A session of Engine.IO, or a plain WebSocket.
pub(crate) struct Connection {
    /// The session's id (`sid`): a secret of the client's.
    pub(super) sid: String,
    pub(super) protocol: Protocol,
    pub(super) handshake: Handshake,
    pub(super) engine: Arc<Engine>,
    output: Mutex<Output>,
    /// Held while a packet is taken in: packets of a client are taken in one after the other.
    assembly: Mutex<Assembly>,
    state: Mutex<State>,
    /// What is held of its input.
    pub(super) received: Arc<Received>,
    _share: Share,
    /// For a long query or Authorization header.
    _handshake_charge: Option<Box<ReceivedCharge>>,
    /// What its packets are counted in; none where there is no limit.
    bucket: OnceLock<Option<DefaultDirectRateLimiter>>,
    /// A packet was taken in for which there was no token in the bucket: the next one waits for it.
    owes: AtomicBool,
    /// The next packet has waited, for its own token too.
    has_paid: AtomicBool,
    /// How many CONNECTs are undecided.
    admissions: AtomicUsize,
    /// A POST is being read.
    pub(super) is_posting: AtomicBool,
    pub(super) wire: Wire,
}

/// A transport, under the name it has in Engine.IO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportName {
    /// HTTP long polling.
    Polling,
    /// A WebSocket.
    WebSocket,
}

struct State {
    /// By namespace. Most clients have one.
    sockets: Vec<Arc<Socket>>,
    beat: Beat,
    /// Counted against the limits until a namespace was joined.
    waiting: Option<Waiting>,
    is_closed: bool,
}

impl Connection {
    pub(super) fn new(
        engine: &Arc<Engine>,
        sid: String,
        handshake: Handshake,
        transport: Transport,
        waiting: Waiting,
    ) -> Arc<Self> {
        let protocol = handshake.protocol;
        let beat = Beat::new(protocol, &engine.settings, Instant::now());
        let received = Received::new(&engine.account);
        let bytes = handshake.query.len() + handshake.authorization.as_ref().map_or(0, String::len);
        let connection = Arc::new(Self {
            sid,
            protocol,
            handshake,
            engine: engine.clone(),
            output: Mutex::new(Output::new(protocol, transport, &engine.account)),
            _share: Share::new(&engine.account),
            _handshake_charge: ReceivedCharge::handshake(&received, bytes),
            received,
            bucket: OnceLock::new(),
            owes: AtomicBool::new(false),
            has_paid: AtomicBool::new(false),
            admissions: AtomicUsize::new(0),
            assembly: Mutex::default(),
            is_posting: AtomicBool::new(false),
            wire: Wire::new(protocol),
            state: Mutex::new(State { sockets: Vec::new(), beat, waiting: Some(waiting), is_closed: false }),
        });
        engine.add_connection(&connection);
        connection.watch_clock();
        connection
    }

    /// Which of the flushers sees to it.
    pub(super) fn shard(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self) as usize / 64
    }

    pub(super) fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock()
    }

    fn assembly(&self) -> MutexGuard<'_, Assembly> {
        self.assembly.lock()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// What its frames leave through now.
    pub(super) fn transport_name(&self) -> TransportName {
        if self.output().is_websocket() { TransportName::WebSocket } else { TransportName::Polling }
    }

    // What leaves.

    /// Puts a frame into the queue. Whoever calls must not hold the lock of anything a disconnect needs when
    /// `pending` is dropped.
    pub(super) fn push(
        self: &Arc<Self>,
        frame: &Arc<Frame>,
        is_volatile: bool,
        pending: &mut PendingFlush<'_>,
    ) -> Pushed {
        match self.wire.render(frame, &self.engine.settings.plain) {
            Some(frame) => self.enqueue(&frame, is_volatile, pending),
            None => Pushed::Skipped,
        }
    }

    fn enqueue(self: &Arc<Self>, frame: &Arc<Frame>, is_volatile: bool, pending: &mut PendingFlush<'_>) -> Pushed {
        let most = self.engine.settings.queued_bytes.get();
        let mut output = self.output();
        let mut pushed = output.push(frame, is_volatile, most);
        if pushed == Pushed::Full && !output.is_stuck() {
            // It may be fast, and only the turn a long one.
            if output.flush() == Flushed::Done {
                pushed = output.push(frame, is_volatile, most);
            }
        }
        let account = &self.engine.account;
        let is_greedy =
            output.is_stuck() && account.is_output_excessive() && output.bytes() > account.equal_share_of_output();
        if pushed == Pushed::Full || is_greedy {
            self.close_slow(&mut output);
            pending.add_slow(self);
            return Pushed::Full;
        }
        if pushed == Pushed::Schedule {
            pending.add(self);
        }
        pushed
    }

    /// Sends a packet that belongs to no socket.
    pub(super) fn send(self: &Arc<Self>, frame: &Arc<Frame>) {
        self.enqueue(frame, false, &mut PendingFlush::new(&self.engine));
    }

    /// Writes what waits.
    pub(super) fn flush(self: &Arc<Self>) {
        let flushed = self.output().flush();
        if flushed == Flushed::Failed {
            self.lose(DisconnectReason::TransportClose);
        }
    }

    // What arrives.

    /// Takes a packet of Engine.IO in, type and data. Breaks where nothing more can come.
    pub(super) fn take_text(self: &Arc<Self>, packet: &str) -> ControlFlow<()> {
        let Some(kind) = packet.as_bytes().first() else {
            return self.refuse(DisconnectReason::ParseError, "a packet of Engine.IO without a type");
        };
        if *kind != b'4' {
            self.pay();
        }
        match (kind, self.protocol) {
            (b'4', _) => {
                let mut assembly = self.assembly();
                let is_partial = assembly.is_partial();
                match assembly.text(self, &packet[1..]) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(Refused(reason)) => {
                        drop(assembly);
                        self.refuse(reason, diagnosis::of_text(self, &packet[1..], is_partial))
                    }
                }
            }
            (b'3', Protocol::V4) => {
                self.pong();
                ControlFlow::Continue(())
            }
            (b'2', Protocol::V3) => {
                self.state().beat.ping_arrived(Instant::now(), &self.engine.settings);
                self.send(&self.engine.pong);
                ControlFlow::Continue(())
            }
            (b'1', _) => {
                self.hung_up();
                ControlFlow::Break(())
            }
            // Base64, as on polling.
            (b'b', protocol) => match payload::binary(packet, protocol) {
                Ok(data) => self.take_binary(data),
                Err(_) => self.refuse(DisconnectReason::ParseError, "a binary message that is no base64"),
            },
            (b'2' | b'3', _) => {
                self.refuse(DisconnectReason::TransportError, "a heartbeat that is the server's to send, or to answer")
            }
            (b'0' | b'5' | b'6', _) => ControlFlow::Continue(()),
            _ => self.refuse(DisconnectReason::ParseError, "a packet of a type that Engine.IO does not have"),
        }
    }

    /// Takes a binary message in.
    pub(super) fn take_binary(self: &Arc<Self>, data: Bytes) -> ControlFlow<()> {
        let mut assembly = self.assembly();
        if !assembly.is_partial() {
            drop(assembly);
            return self.refuse(DisconnectReason::ForcedClose, diagnosis::of_binary(&data));
        }
        match assembly.binary(self, data) {
            Ok(()) => ControlFlow::Continue(()),
            Err(Refused(reason)) => {
                drop(assembly);
                self.refuse(reason, "attachments that are too large, or not those that the packet speaks of")
            }
        }
    }

    /// A client of plain WebSocket has sent a frame.
    pub(super) fn frame_arrived(&self) {
        let mut state = self.state();
        if !state.is_closed {
            state.beat.frame_arrived(Instant::now(), &self.engine.settings);
        }
    }

    /// CONNECT of a client of plain WebSocket was decided on: its reader goes on with what has arrived since.
    pub(super) fn decided(&self, verdict: impl FnOnce() -> Verdict) {
        if self.wire.decide(verdict) {
            self.output().wake_reader();
        }
    }

    /// Whether nothing that the client says counts any more.
    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    fn pong(self: &Arc<Self>) {
        let sockets = {
            let mut state = self.state();
            state.beat.pong_arrived(Instant::now(), &self.engine.settings);
            state.sockets.clone()
        };
        self.watch_clock();
        for socket in sockets {
            socket.confirmed();
        }
    }

    /// Ends it for what the client sent.
    pub(super) fn refuse(self: &Arc<Self>, reason: DisconnectReason, why: &str) -> ControlFlow<()> {
        self.end_for_mistake(reason, why);
        ControlFlow::Break(())
    }

    // Sockets.

    pub(super) fn socket(&self, namespace: &str) -> Option<Arc<Socket>> {
        self.state().sockets.iter().find(|socket| &*socket.namespace == namespace).cloned()
    }

    pub(super) fn sockets(&self) -> Vec<Arc<Socket>> {
        self.state().sockets.clone()
    }

    /// False where the connection is closed.
    pub(super) fn add_socket(&self, socket: &Arc<Socket>) -> bool {
        let mut state = self.state();
        if state.is_closed {
            return false;
        }
        state.sockets.push(socket.clone());
        true
    }

    /// The client was let into a namespace: it counts as a socket now.
    pub(super) fn joined(&self) {
        let mut state = self.state();
        state.waiting = None;
        state.beat.connected();
    }

    /// A socket has left. A client that is in no namespace any more waits to be let in again, and counts as such.
    pub(super) fn remove_socket(self: &Arc<Self>, socket: &Socket) {
        let is_one_too_many = {
            let mut state = self.state();
            state.sockets.retain(|other| !std::ptr::eq(&**other, socket));
            if state.is_closed || !state.sockets.is_empty() || state.waiting.is_some() {
                return;
            }
            state.waiting = self.engine.limits.wait(self.handshake.address);
            state.beat.expect_connect(Instant::now() + self.engine.settings.connect_timeout);
            state.waiting.is_none()
        };
        if is_one_too_many {
            return self.end(DisconnectReason::ForcedServerClose, None);
        }
        self.watch_clock();
    }

    // Time.

    /// Sees to it that [`Self::tick`] is called when something is due.
    pub(super) fn watch_clock(self: &Arc<Self>) {
        self.state().beat.schedule(&self.engine.timers, || Timer::Connection(Arc::downgrade(self)));
    }

    /// Something may be due.
    pub(super) fn tick(self: &Arc<Self>, ticket: Ticket, now: Instant) {
        let has_sockets = {
            let mut state = self.state();
            if !state.beat.is_scheduled_for(ticket) {
                return;
            }
            !state.sockets.is_empty()
        };
        let due = self.state().beat.due(now, has_sockets, &self.engine.settings);
        match due {
            Due::Nothing => {}
            Due::Ping => {
                for socket in self.sockets() {
                    socket.pinged();
                }
                self.send(self.wire.ping(&self.engine.ping, &self.engine.plain_ping));
            }
            Due::PingTimeout => return self.end(DisconnectReason::PingTimeout, None),
            Due::StallTimeout => return self.drop_greedy(),
            Due::ConnectTimeout => return self.end(DisconnectReason::ForcedServerClose, None),
            Due::Leave => {
                self.engine.remove_connection(&self.sid);
                return self.output().close();
            }
        }
        self.watch_clock();
    }
}
