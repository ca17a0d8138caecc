//! One client's connection: a session of Engine.IO, over polling or a WebSocket. It dies with the network; the
//! sockets that speak through it may outlive it.

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, atomic::AtomicBool},
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use tokio::net::tcp::OwnedWriteHalf;

use super::{
    DisconnectReason, Engine, Handshake, Protocol,
    flush::Batch,
    frame::Frame,
    heartbeat::{Beat, Due},
    incoming::{Incoming, Refused},
    output::{Flushed, Output, Pushed, Request, Transport, Upgrade},
    payload,
    session::Session,
    websocket::{Violation, opcode},
    wheel::{Ticket, Timed},
};
use crate::limits::Waiting;

/// A session of Engine.IO.
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
    /// A POST is being read.
    pub(super) is_posting: AtomicBool,
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
        let link = Arc::new(Self {
            sid,
            protocol,
            handshake,
            engine: engine.clone(),
            output: Mutex::new(Output::new(protocol, transport)),
            incoming: Mutex::default(),
            is_posting: AtomicBool::new(false),
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
        self.output.lock().expect("no panic while writing")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while counting")
    }

    // What leaves.

    /// Puts a frame into the queue. Whoever calls must not hold the lock of anything a disconnect needs when
    /// `batch` is dropped.
    pub(super) fn push(self: &Arc<Self>, frame: &Arc<Frame>, is_volatile: bool, batch: &mut Batch<'_>) -> Pushed {
        let most = self.engine.settings.queued_bytes;
        let mut output = self.output();
        let before = output.bytes();
        let mut pushed = output.push(frame, is_volatile, most);
        if pushed == Pushed::Full && !output.is_stuck() {
            // It may be fast, and only the turn a long one.
            if output.flush() == Flushed::Done {
                pushed = output.push(frame, is_volatile, most);
            }
        }
        let total = self.engine.queued.moved(before, output.bytes());
        if pushed == Pushed::Full || (total > self.engine.settings.queued_bytes_total && output.is_stuck()) {
            self.engine.queued.moved(output.bytes(), 0);
            output.close();
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
        self.push(frame, false, &mut Batch::new(&self.engine));
    }

    /// Writes what waits.
    pub(super) fn flush(self: &Arc<Self>) {
        let flushed = {
            let mut output = self.output();
            let before = output.bytes();
            let flushed = output.flush();
            self.engine.queued.moved(before, output.bytes());
            flushed
        };
        if flushed == Flushed::Failed {
            self.lose(DisconnectReason::TransportClose);
        }
    }

    /// What a polling request is answered with; `Pending` where there is nothing yet.
    pub(super) fn poll_payload(&self, cx: &Context<'_>) -> Poll<String> {
        let most = self.engine.settings.max_payload;
        let mut output = self.output();
        let before = output.bytes();
        let body = output.payload(most);
        self.engine.queued.moved(before, output.bytes());
        let is_empty = output.bytes() == 0;
        let answer = match (body, output.transport()) {
            (Some(body), transport) => {
                match transport {
                    Transport::Polling { request, .. } => *request = Request::None,
                    // That was the last of it.
                    Transport::Closing(_) if is_empty => {
                        output.close();
                        self.engine.remove_link(&self.sid);
                    }
                    _ => {}
                }
                body
            }
            (None, Transport::Polling { request, upgrade }) if *upgrade != Upgrade::Probed => {
                *request = Request::Waiting(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            (None, transport) => {
                if let Transport::Polling { request, .. } = transport {
                    *request = Request::None;
                }
                let mut body = String::new();
                payload::append(&mut body, &self.engine.noop, self.protocol);
                body
            }
        };
        Poll::Ready(answer)
    }

    // What arrives.

    /// Takes a packet of Engine.IO in, type and data. Breaks where nothing more can come.
    pub(super) fn take_text(self: &Arc<Self>, packet: &str) -> ControlFlow<()> {
        let Some(kind) = packet.as_bytes().first() else { return self.refuse(DisconnectReason::ParseError) };
        match (kind, self.protocol) {
            (b'4', _) => {
                let mut incoming = self.incoming.lock().expect("no panic while decoding");
                match incoming.text(self, &packet[1..]) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(Refused(reason)) => {
                        drop(incoming);
                        self.refuse(reason)
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
                Err(_) => self.refuse(DisconnectReason::ParseError),
            },
            (b'2' | b'3', _) => self.refuse(DisconnectReason::TransportError),
            (b'0' | b'5' | b'6', _) => ControlFlow::Continue(()),
            _ => self.refuse(DisconnectReason::ParseError),
        }
    }

    /// Takes a binary message in.
    pub(super) fn take_binary(self: &Arc<Self>, data: Bytes) -> ControlFlow<()> {
        let mut incoming = self.incoming.lock().expect("no panic while decoding");
        match incoming.binary(self, data) {
            Ok(()) => ControlFlow::Continue(()),
            Err(Refused(reason)) => {
                drop(incoming);
                self.refuse(reason)
            }
        }
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

    fn refuse(self: &Arc<Self>, reason: DisconnectReason) -> ControlFlow<()> {
        self.end(reason, None);
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
        self.state().waiting = None;
    }

    pub(super) fn remove_session(&self, session: &Session) {
        let mut state = self.state();
        state.sessions.retain(|other| !std::ptr::eq(&**other, session));
        if state.sessions.is_empty() {
            let timeout = self.engine.settings.connect_timeout;
            state.beat.expect_connect(Instant::now() + timeout);
        }
    }

    // The end.

    /// Says goodbye to the client, after what waits: its sockets are lost for this reason, now.
    pub(super) fn end(self: &Arc<Self>, reason: DisconnectReason, status: Option<u16>) {
        let is_fetched = {
            let mut output = self.output();
            let before = output.bytes();
            let last = if output.is_websocket() { close_frame(status) } else { self.engine.close.clone() };
            if output.is_open() {
                output.push_last(Some(last));
                self.engine.queued.moved(before, output.bytes());
            }
            output.is_fetched()
        };
        // First, so that it is this reason that counts and not that the client hangs up on reading it.
        self.lost(reason, is_fetched);
        self.flush();
    }

    /// The client said goodbye. If it polls, it is let go.
    fn hung_up(self: &Arc<Self>) {
        {
            let mut output = self.output();
            let before = output.bytes();
            if output.is_websocket() {
                output.push_last(Some(close_frame(None)));
            } else if output.is_open() {
                output.push_last(Some(self.engine.noop.clone()));
            }
            self.engine.queued.moved(before, output.bytes());
        }
        // A poll that was sent at the same moment finds its answer too.
        self.lost(DisconnectReason::TransportClose, true);
        self.flush();
    }

    /// The client closed its WebSocket: it is answered, and the server hangs up (RFC 6455, section 7.1.1).
    pub(super) fn answer_close(self: &Arc<Self>, status: Option<u16>) {
        {
            let mut output = self.output();
            let before = output.bytes();
            if output.is_websocket() {
                output.hang_up(&close_frame(status));
            }
            self.engine.queued.moved(before, output.bytes());
        }
        self.lost(DisconnectReason::TransportClose, false);
    }

    /// The peer broke the rules of WebSocket.
    pub(super) fn violated(self: &Arc<Self>, violation: Violation) {
        self.end(DisconnectReason::TransportError, Some(violation.status()));
    }

    /// The connection is gone, or must go at once: what waits is forgotten.
    pub(super) fn lose(self: &Arc<Self>, reason: DisconnectReason) {
        {
            let mut output = self.output();
            self.engine.queued.moved(output.bytes(), 0);
            output.close();
        }
        self.lost(reason, false);
    }

    /// With `is_fetched`, a polling client may still fetch what was said last.
    fn lost(self: &Arc<Self>, reason: DisconnectReason, is_fetched: bool) {
        let sessions = {
            let mut state = self.state();
            if std::mem::replace(&mut state.is_closed, true) {
                return;
            }
            state.waiting = None;
            state.beat.leave(Instant::now(), reason);
            std::mem::take(&mut state.sessions)
        };
        if !is_fetched {
            self.engine.remove_link(&self.sid);
        }
        if self.output().is_closed() {
            self.state().beat.unschedule(&self.engine.wheel);
        } else {
            self.watch_clock();
        }
        for session in sessions {
            session.unlinked(self, reason);
        }
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
                self.send(&self.engine.ping);
            }
            Due::PingTimeout => return self.end(DisconnectReason::PingTimeout, None),
            Due::ConnectTimeout => return self.end(DisconnectReason::ForcedServerClose, None),
            Due::Leave => {
                self.engine.remove_link(&self.sid);
                let mut output = self.output();
                self.engine.queued.moved(output.bytes(), 0);
                return output.close();
            }
        }
        self.watch_clock();
    }

    // The upgrade.

    /// A WebSocket is tried, one at a time. False where there is one already, or nothing to upgrade.
    pub(super) fn begin_upgrade(&self) -> bool {
        let mut output = self.output();
        let Transport::Polling { upgrade: upgrade @ Upgrade::No, .. } = output.transport() else { return false };
        *upgrade = Upgrade::Begun;
        true
    }

    /// The WebSocket works: whoever waits is let go. False where there is nothing to upgrade any more.
    pub(super) fn probed(&self) -> bool {
        let mut output = self.output();
        let Transport::Polling { request, upgrade } = output.transport() else { return false };
        *upgrade = Upgrade::Probed;
        if let Request::Waiting(waker) = request
            && let Some(waker) = waker.take()
        {
            waker.wake();
        }
        true
    }

    /// It came to nothing.
    pub(super) fn abandon_upgrade(&self) {
        if let Transport::Polling { upgrade, .. } = self.output().transport() {
            *upgrade = Upgrade::No;
        }
    }

    /// From now on everything goes through the WebSocket. False where the link was closed in the meantime.
    pub(super) fn finish_upgrade(self: &Arc<Self>, writer: OwnedWriteHalf) -> bool {
        {
            let mut output = self.output();
            let Transport::Polling { request, .. } = output.transport() else { return false };
            if let Request::Waiting(Some(waker)) = request {
                waker.wake_by_ref();
            }
            *output.transport() = Transport::WebSocket(writer);
        }
        self.flush();
        true
    }
}

fn close_frame(status: Option<u16>) -> Arc<Frame> {
    let status = status.map(u16::to_be_bytes);
    Frame::control(opcode::CLOSE, status.as_ref().map_or(&[], |bytes| bytes))
}
