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
    DisconnectReason, Engine, Handshake, Protocol, diagnosis,
    flush::Batch,
    frame::Frame,
    heartbeat::{Beat, Due},
    incoming::{Incoming, Refused},
    output::{Flushed, Output, Pushed, Transport},
    payload,
    plain::{self, Plain},
    pressure::{Received, ReceivedCharge, Share},
    session::Session,
    wheel::{Ticket, Timed},
};
pub(super) use intake::{Admission, Intake};

use crate::limits::Waiting;

/// A session of Engine.IO, or a plain WebSocket.
pub(crate) struct Link {
    /// The session's id: a secret of the client's.
    pub(super) sid: String,
    pub(super) protocol: Protocol,
    pub(super) handshake: Handshake,
    pub(super) engine: Arc<Engine>,
    output: Mutex<Output>,
    /// Held while a packet is taken in: packets of a client are taken in one after the other.
    incoming: Mutex<Incoming>,
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
    /// What a client of plain WebSocket has instead of packets.
    pub(super) plain: Option<Box<Plain>>,
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
    sessions: Vec<Arc<Session>>,
    beat: Beat,
    /// Counted against the limits until a namespace was joined.
    waiting: Option<Waiting>,
    is_closed: bool,
}

impl Link {
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
        let link = Arc::new(Self {
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
            incoming: Mutex::default(),
            is_posting: AtomicBool::new(false),
            plain: (protocol == Protocol::Plain).then(Box::default),
            state: Mutex::new(State { sessions: Vec::new(), beat, waiting: Some(waiting), is_closed: false }),
        });
        engine.add_link(&link);
        link.watch_clock();
        link
    }

    /// Which of the flushers sees to it.
    pub(super) fn shard(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self) as usize / 64
    }

    pub(super) fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock()
    }

    fn incoming(&self) -> MutexGuard<'_, Incoming> {
        self.incoming.lock()
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
    /// `batch` is dropped.
    pub(super) fn push(self: &Arc<Self>, frame: &Arc<Frame>, is_volatile: bool, batch: &mut Batch<'_>) -> Pushed {
        let Some(plain) = &self.plain else { return self.enqueue(frame, is_volatile, batch) };
        match plain.rendered(frame, &self.engine.settings.plain) {
            Some(frame) => self.enqueue(&frame, is_volatile, batch),
            None => Pushed::Skipped,
        }
    }

    fn enqueue(self: &Arc<Self>, frame: &Arc<Frame>, is_volatile: bool, batch: &mut Batch<'_>) -> Pushed {
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
            match &self.plain {
                None => output.close(),
                Some(_) => output.cut_short(plain::goodbye(DisconnectReason::SlowConsumer)),
            }
            batch.drop_slow(self);
            return Pushed::Full;
        }
        if pushed == Pushed::Schedule {
            batch.flush(self);
        }
        pushed
    }

    /// Sends a packet that belongs to no socket.
    pub(super) fn send(self: &Arc<Self>, frame: &Arc<Frame>) {
        self.enqueue(frame, false, &mut Batch::new(&self.engine));
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
                let mut incoming = self.incoming();
                let is_partial = incoming.is_partial();
                match incoming.text(self, &packet[1..]) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(Refused(reason)) => {
                        drop(incoming);
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
        let mut incoming = self.incoming();
        if !incoming.is_partial() {
            drop(incoming);
            return self.refuse(DisconnectReason::ForcedClose, diagnosis::of_binary(&data));
        }
        match incoming.binary(self, data) {
            Ok(()) => ControlFlow::Continue(()),
            Err(Refused(reason)) => {
                drop(incoming);
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

    /// Whether nothing that the client says counts any more.
    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    fn pong(self: &Arc<Self>) {
        let sessions = {
            let mut state = self.state();
            state.beat.pong_arrived(Instant::now(), &self.engine.settings);
            state.sessions.clone()
        };
        self.watch_clock();
        for session in sessions {
            session.confirmed();
        }
    }

    /// Ends it for what the client sent.
    pub(super) fn refuse(self: &Arc<Self>, reason: DisconnectReason, why: &str) -> ControlFlow<()> {
        self.end_for_mistake(reason, why);
        ControlFlow::Break(())
    }

    // Sockets.

    pub(super) fn session(&self, namespace: &str) -> Option<Arc<Session>> {
        self.state().sessions.iter().find(|session| &*session.namespace == namespace).cloned()
    }

    pub(super) fn sessions(&self) -> Vec<Arc<Session>> {
        self.state().sessions.clone()
    }

    /// False where the link is closed.
    pub(super) fn add_session(&self, session: &Arc<Session>) -> bool {
        let mut state = self.state();
        if state.is_closed {
            return false;
        }
        state.sessions.push(session.clone());
        true
    }

    /// The client was let into a namespace: it counts as a socket now.
    pub(super) fn joined(&self) {
        let mut state = self.state();
        state.waiting = None;
        state.beat.connected();
    }

    /// A socket has left. A client that is in no namespace any more waits to be let in again, and counts as such.
    pub(super) fn remove_session(self: &Arc<Self>, session: &Session) {
        let is_one_too_many = {
            let mut state = self.state();
            state.sessions.retain(|other| !std::ptr::eq(&**other, session));
            if state.is_closed || !state.sessions.is_empty() || state.waiting.is_some() {
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
        self.state().beat.schedule(&self.engine.wheel, || Timed::Link(Arc::downgrade(self)));
    }

    /// Something may be due.
    pub(super) fn tick(self: &Arc<Self>, ticket: Ticket, now: Instant) {
        let has_sessions = {
            let mut state = self.state();
            if !state.beat.is_scheduled_for(ticket) {
                return;
            }
            !state.sessions.is_empty()
        };
        let due = self.state().beat.due(now, has_sessions, &self.engine.settings);
        match due {
            Due::Nothing => {}
            Due::Ping => {
                for session in self.sessions() {
                    session.pinged();
                }
                self.send(if self.plain.is_some() { &self.engine.plain_ping } else { &self.engine.ping });
            }
            Due::PingTimeout => return self.end(DisconnectReason::PingTimeout, None),
            Due::StallTimeout => return self.drop_greedy(),
            Due::ConnectTimeout => return self.end(DisconnectReason::ForcedServerClose, None),
            Due::Leave => {
                self.engine.remove_link(&self.sid);
                return self.output().close();
            }
        }
        self.watch_clock();
    }
}
