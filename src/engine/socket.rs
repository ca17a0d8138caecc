//! A socket: one client in one namespace. It outlives the connection it speaks through, for as long as the client
//! may come back to it.

mod recovery;

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use rand::{Rng, distr::Alphanumeric};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::{
    DisconnectReason, Engine, Handshake, Protocol,
    connection::{Connection, TransportName},
    flush::PendingFlush,
    frame::Frame,
    library::{EngineSide, LibrarySession},
    output::Pushed,
    plain::Verdict,
    pressure::ReceivedCharge,
    recovery_log::RecoveryLog,
    timers::Ticket,
};
use recovery::Replays;
pub(super) use recovery::{Resumed, Seen};

use crate::{
    model::SocketId,
    model::{Room, Timestamp, UserId},
};

/// Characters of a `pid` after the socket's id: 24 of 62 are 142 bits.
const PID_SECRET: usize = 24;

/// What the layer above does with a socket.
pub(crate) trait Application: Send + Sync {
    /// An event. Err where the text is none: then the connection is closed.
    fn receive(self: Arc<Self>, arrival: Arrival<'_>) -> Result<(), NotAnEvent>;

    /// Whether a client with these credentials is the one the socket belongs to; from now on it has these.
    fn readmit(&self, handshake: &Handshake, auth: &str) -> bool;

    /// Takes a place among the connected ones, or gives it back. Called with locks held; must not call back.
    fn take_seat(&self, handshake: &Handshake) -> bool;

    /// See [`Self::take_seat`].
    fn leave_seat(&self);

    /// The client went, or came back. [`Socket::is_away`] says which.
    fn moved(self: Arc<Self>);

    /// It is over.
    fn ended(self: Arc<Self>, reason: DisconnectReason);

    /// Whose it is.
    fn user(&self) -> UserId;

    /// Whether this user may hear a room.
    fn may_hear(&self, room: &Room) -> bool;

    /// Whether it takes the client for gone. It learns of [`Self::moved`] in its turn, and then not of what was undone
    /// in the meantime.
    fn is_away(&self) -> bool;

    /// Whether there is an event of this name.
    fn knows(&self, event: &str) -> bool;

    /// Acknowledges, in its turn, with who it is and who is here.
    fn welcome(self: Arc<Self>, id: u64);

    /// Does this once the events before it are answered.
    fn in_turn(self: Arc<Self>, then: Box<dyn FnOnce() + Send>);
}

/// An event as it arrived.
pub(crate) struct Arrival<'a> {
    /// The JSON array of its name and arguments.
    pub(crate) json: &'a str,
    pub(crate) attachments: Vec<Bytes>,
    /// Which acknowledgement the client wants, if it wants one.
    pub(crate) id: Option<u64>,
    /// What it costs until it is answered.
    pub(crate) charge: ReceivedCharge,
    /// Whether there was a token for it in its connection's bucket.
    pub(crate) is_within_rate: bool,
}

/// A text that is no event, or no acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAnEvent;

/// What a client answered: the JSON texts of the arguments, and the attachments.
pub(crate) type Answer = (Vec<Box<RawValue>>, Vec<Bytes>);

/// One client in one namespace.
pub(crate) struct Socket {
    /// As the client knows it too, but for clients of Engine.IO 3 outside of the root namespace.
    pub(crate) id: SocketId,
    /// The path of the namespace.
    pub(crate) namespace: Arc<str>,
    /// When its client asked to be let in; coming back changes nothing.
    pub(crate) connected_at: Timestamp,
    engine: Arc<Engine>,
    protocol: Protocol,
    session: LibrarySession,
    /// What a client of Engine.IO 3 calls it outside of the root namespace.
    legacy_id: Option<String>,
    /// With what the client comes back. `None` where it cannot: then its events bear no offsets either, and it has no
    /// log.
    pid: Option<String>,
    /// For a long `auth`, which the layer above keeps as long.
    _auth_charge: Option<Box<ReceivedCharge>>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    application: Option<Arc<dyn Application>>,
    log: RecoveryLog,
    replays: Replays,
    /// Who waits for the client's acknowledgements.
    asked: HashMap<u64, oneshot::Sender<Answer>>,
}

enum Phase {
    /// CONNECT has come, and is being decided on.
    Connecting(Arc<Connection>),
    Connected(Arc<Connection>),
    /// The connection was lost; until when the client may come back.
    Away {
        reason: DisconnectReason,
        until: Ticket,
    },
    Closed,
}

impl Socket {
    /// The client asks to be let into a namespace.
    pub(super) fn open(
        connection: &Arc<Connection>,
        session: LibrarySession,
        engine_side: &EngineSide,
        namespace: &str,
        auth: &str,
    ) -> Arc<Self> {
        let engine = connection.engine.clone();
        let id = session.sid();
        let pid = connection.handshake.is_recoverable.then(|| {
            let secret = rand::rng().sample_iter(Alphanumeric).take(PID_SECRET).map(char::from);
            id.to_string().chars().chain(secret).collect()
        });
        let has_legacy_id = connection.protocol == Protocol::V3 && namespace != "/";
        let socket = Arc::new(Self {
            id,
            legacy_id: has_legacy_id.then(|| format!("{namespace}#{}", connection.sid)),
            namespace: namespace.into(),
            connected_at: Timestamp::now(),
            protocol: connection.protocol,
            session,
            pid,
            _auth_charge: ReceivedCharge::handshake(&connection.received, auth.len()),
            state: Mutex::new(State {
                phase: Phase::Connecting(connection.clone()),
                application: None,
                log: RecoveryLog::default(),
                replays: Replays::default(),
                asked: HashMap::new(),
            }),
            engine,
        });
        engine_side.set(&socket, connection);
        socket
    }

    /// Hands CONNECT to the library. `route` is what it calls the namespace.
    pub(super) fn ask_in(&self, route: &str, auth: &str) {
        self.session.connect(self.engine.library(), route, auth);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// What the client said when it opened the connection; `None` when it has gone.
    pub(crate) fn handshake(&self) -> Option<Handshake> {
        match &self.state().phase {
            Phase::Connecting(connection) | Phase::Connected(connection) => Some(connection.handshake.clone()),
            Phase::Away { .. } | Phase::Closed => None,
        }
    }

    /// Whether the client has gone and may come back.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self.state().phase, Phase::Away { .. })
    }

    /// Whether the client is there.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state().phase, Phase::Connected(_))
    }

    /// How the client is connected and from where; `None` while it is not.
    pub(crate) fn connection(&self) -> Option<(TransportName, Option<IpAddr>)> {
        let connection = match &self.state().phase {
            Phase::Connected(connection) => connection.clone(),
            Phase::Connecting(_) | Phase::Away { .. } | Phase::Closed => return None,
        };
        Some((connection.transport_name(), connection.handshake.address))
    }

    /// The layer above, until it is over.
    pub(crate) fn application(&self) -> Option<Arc<dyn Application>> {
        self.state().application.clone()
    }

    /// The id as the client knows it: one of Engine.IO 3 puts its namespace before it.
    pub(crate) fn client_id(&self) -> String {
        self.legacy_id.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// Whether this is the id that only its client of Engine.IO 3 knows.
    pub(crate) fn is_known_as(&self, legacy_id: &str) -> bool {
        self.legacy_id.as_deref() == Some(legacy_id)
    }

    // The way in.

    /// The client is not let in: CONNECT_ERROR, with a message and data as JSON, if there is any.
    pub(crate) fn refuse(self: &Arc<Self>, message: &str, data: Option<&str>) {
        let connection = {
            let mut state = self.state();
            let Phase::Connecting(connection) = std::mem::replace(&mut state.phase, Phase::Closed) else { return };
            connection
        };
        // First, so that the client may ask again as soon as it reads the answer.
        connection.remove_socket(self);
        connection.refuse_connect(&self.namespace, message, data);
        self.session.close(self.engine.library());
    }

    /// The client is let in: CONNECT leaves before anything else does. False where it has gone in the meantime.
    pub(crate) fn connected(
        self: &Arc<Self>,
        application: Arc<dyn Application>,
        pending: &mut PendingFlush<'_>,
    ) -> bool {
        let mut state = self.state();
        let Phase::Connecting(connection) = &state.phase else { return false };
        let connection = connection.clone();
        connection.joined();
        connection.push(&self.connect_frame(), false, pending);
        state.phase = Phase::Connected(connection.clone());
        state.application = Some(application);
        if let Some(pid) = &self.pid {
            self.engine.away.know(pid, self);
        }
        connection.decided(|| Verdict::Yes(self.clone()));
        true
    }

    /// From now on it needs nothing of the library.
    pub(crate) fn leave_library(&self) {
        self.session.close(self.engine.library());
    }

    fn connect_frame(&self) -> Arc<Frame> {
        match self.protocol {
            Protocol::V4 => Frame::connect(&self.namespace, Some((&self.id.to_string(), self.pid.as_deref()))),
            Protocol::V3 | Protocol::Plain => Frame::connect(&self.namespace, None),
        }
    }

    // What leaves.

    /// Puts an event, or several that were joined, into the queue, and into the log of what the client may miss. False
    /// where nobody will get it.
    pub(crate) fn deliver(&self, frame: &Arc<Frame>, is_volatile: bool, pending: &mut PendingFlush<'_>) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        let frame = match (self.protocol, &self.pid) {
            (Protocol::V4, None) => frame.without_offset(),
            _ => frame,
        };
        match &state.phase {
            Phase::Connected(connection) => {
                let is_sent = match connection.push(frame, is_volatile, pending) {
                    Pushed::Queued | Pushed::Schedule => true,
                    Pushed::Skipped => return false,
                    // The connection is gone, and this socket is about to learn of it.
                    Pushed::Gone | Pushed::Full if is_volatile => return false,
                    Pushed::Gone | Pushed::Full => false,
                };
                if self.pid.is_some() && frame.number() > 0 {
                    self.log(&mut state.log, frame);
                }
                is_sent
            }
            Phase::Away { .. } if !is_volatile && frame.number() > 0 => {
                self.log(&mut state.log, frame);
                true
            }
            Phase::Connecting(_) | Phase::Away { .. } | Phase::Closed => false,
        }
    }

    fn log(&self, log: &mut RecoveryLog, frame: &Arc<Frame>) {
        let recovery = &self.engine.settings.recovery;
        log.push(frame, recovery.events, recovery.bytes, &self.engine.account);
    }

    /// Answers an event: the JSON array of the acknowledgement's arguments, and its attachments. False where nobody will
    /// get it.
    pub(crate) fn acknowledge(
        &self,
        id: u64,
        json: &str,
        attachments: Vec<Bytes>,
        pending: &mut PendingFlush<'_>,
    ) -> bool {
        let frame = Frame::ack(&self.namespace, id, json, attachments);
        let state = self.state();
        let Phase::Connected(connection) = &state.phase else { return false };
        matches!(connection.push(&frame, false, pending), Pushed::Queued | Pushed::Schedule)
    }

    /// Sends an event that asks for an acknowledgement, of this id. The receiver fails when the client has gone.
    pub(crate) fn ask(
        &self,
        frame: &Arc<Frame>,
        id: u64,
        pending: &mut PendingFlush<'_>,
    ) -> Option<oneshot::Receiver<Answer>> {
        let mut state = self.state();
        let Phase::Connected(connection) = &state.phase else { return None };
        if !matches!(connection.push(frame, false, pending), Pushed::Queued | Pushed::Schedule) {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        state.asked.insert(id, answer);
        Some(answered)
    }

    /// Nobody waits for this acknowledgement any more.
    pub(crate) fn forget(&self, id: u64) {
        self.state().asked.remove(&id);
    }

    // What arrives.

    /// Whether there is an event of this name.
    pub(super) fn knows(&self, event: &str) -> bool {
        self.application().is_some_and(|application| application.knows(event))
    }

    /// See [`Application::welcome`].
    pub(super) fn welcome(&self, id: u64) {
        if let Some(application) = self.application() {
            application.welcome(id);
        }
    }

    /// See [`Application::in_turn`].
    pub(super) fn in_turn(&self, then: Box<dyn FnOnce() + Send>) {
        if let Some(application) = self.application() {
            application.in_turn(then);
        }
    }

    pub(super) fn receive(&self, arrival: Arrival<'_>) -> Result<(), DisconnectReason> {
        let application = {
            let mut state = self.state();
            state.replays = Replays::default();
            match &state.phase {
                Phase::Connected(_) => state.application.clone(),
                Phase::Connecting(_) => return Err(DisconnectReason::ForcedServerClose),
                Phase::Away { .. } | Phase::Closed => None,
            }
        };
        match application {
            Some(application) => application.receive(arrival).map_err(|NotAnEvent| DisconnectReason::ForcedClose),
            None => Ok(()),
        }
    }

    /// Whether it was asked for.
    pub(super) fn acknowledged(
        &self,
        id: Option<u64>,
        json: &str,
        attachments: Vec<Bytes>,
    ) -> Result<bool, NotAnEvent> {
        let arguments: Vec<Box<RawValue>> = match json {
            "" => Vec::new(),
            json => serde_json::from_str(json).map_err(|_| NotAnEvent)?,
        };
        let asked = {
            let mut state = self.state();
            state.replays = Replays::default();
            id.and_then(|id| state.asked.remove(&id))
        };
        let was_asked = asked.is_some();
        if let Some(asked) = asked {
            // Whoever asked may have stopped waiting.
            drop(asked.send((arguments, attachments)));
        }
        Ok(was_asked)
    }

    /// The client said goodbye.
    pub(super) fn left(self: &Arc<Self>) {
        self.finish(DisconnectReason::ClientNamespaceDisconnect);
    }

    // The end.

    /// Ends the socket for good: DISCONNECT goes first, so that an unchanged client stays away. With `close` the
    /// whole connection is closed.
    pub(crate) fn kick(self: &Arc<Self>, close: bool) {
        let mut pending = PendingFlush::new(&self.engine);
        let connection = match &self.state().phase {
            Phase::Connected(connection) => {
                connection.push(&Frame::disconnect(&self.namespace), false, &mut pending);
                Some(connection.clone())
            }
            _ => None,
        };
        if self.protocol == Protocol::Plain
            && let Some(connection) = &connection
        {
            // It is all that this connection is for.
            return connection.end(DisconnectReason::ServerNamespaceDisconnect, None);
        }
        self.finish(DisconnectReason::ServerNamespaceDisconnect);
        // Sent when it is over, so that the client may ask again as soon as it reads it.
        drop(pending);
        if let Some(connection) = connection.filter(|_| close) {
            connection.kick();
        }
    }

    /// It is over, whatever it was: nothing of it is left here.
    pub(super) fn finish(self: &Arc<Self>, reason: DisconnectReason) {
        self.finish_if(|_| Some(reason));
    }

    /// It is over, for the reason that follows from where it is; if one does.
    fn finish_if(self: &Arc<Self>, reason: impl FnOnce(&Phase) -> Option<DisconnectReason>) {
        let (reason, phase, application) = {
            let mut state = self.state();
            let Some(reason) = reason(&state.phase) else { return };
            let phase = std::mem::replace(&mut state.phase, Phase::Closed);
            let application = state.application.take();
            if let (Phase::Away { .. }, Some(application)) = (&phase, &application) {
                self.engine.away.remove(self, &application.user());
            }
            state.log = RecoveryLog::default();
            state.asked = HashMap::new();
            (reason, phase, application)
        };
        match phase {
            Phase::Closed => return,
            Phase::Connecting(connection) => {
                connection.remove_socket(self);
                self.session.close(self.engine.library());
            }
            Phase::Connected(connection) => connection.remove_socket(self),
            Phase::Away { until, .. } => self.engine.timers.remove(until),
        }
        if let Some(pid) = &self.pid {
            self.engine.away.forget(pid);
        }
        if let Some(application) = application {
            application.ended(reason);
        }
    }
}
