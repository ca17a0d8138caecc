//! A restart of the server: a socket whose client is away is taken from one process and continues in the next.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Phase, Socket, State, charged_handshake::ChargedHandshake};
use crate::{
    engine::{
        application::Application, frame::Frame, library::LibrarySession, reason::DisconnectReason,
        recoverable_sockets::RecoverableSockets, recovery_log::RecoveryLog, replays::Replays, shared::Shared,
        version::Protocol,
    },
    model::{SocketId, Timestamp},
    sync::Mutex,
};

/// What the engine knows of a socket whose client is away, for the next process.
pub(crate) struct SuspendedSocket {
    pub(crate) id: SocketId,
    pub(crate) pid: String,
    pub(crate) namespace: Arc<str>,
    pub(crate) connected_at: Timestamp,
    /// When its client sent the request that opened its last connection.
    pub(crate) requested_at: Timestamp,
    pub(crate) address: Option<IpAddr>,
    /// How long its client may still recover it.
    pub(crate) remaining: Duration,
    /// Why the connection was lost.
    pub(crate) reason: DisconnectReason,
    /// The log.
    pub(crate) events: Vec<Arc<Frame>>,
    /// The number of the last event that was removed from the log. 0 if none was.
    pub(crate) last_removed: u64,
}

impl Socket {
    /// Takes the socket from this process, if its client is away: from now on it receives no event. Nothing tells the
    /// application that the socket has ended, because it goes on in the next process.
    pub(crate) fn suspend(&self) -> Option<(SuspendedSocket, Arc<dyn Application>)> {
        let (until, suspended, application) = {
            let mut state = self.state();
            let Phase::Away { reason, until } = &state.phase else { return None };
            let (reason, until, pid) = (*reason, *until, self.pid.clone()?);
            let application = state.application.take()?;
            state.phase = Phase::Closed;
            let log = std::mem::take(&mut state.log);
            let handshake = &state.handshake.handshake;
            let suspended = SuspendedSocket {
                id: self.id,
                pid,
                namespace: self.namespace.clone(),
                connected_at: self.connected_at,
                requested_at: handshake.time(),
                address: handshake.address(),
                remaining: until.at().saturating_duration_since(Instant::now()),
                reason,
                events: log.events(),
                last_removed: log.last_removed(),
            };
            (until, suspended, application)
        };
        self.shared.timers.remove(until);
        self.recoverable.remove_away(self.id, &application.user());
        self.recoverable.remove_pid(&suspended.pid);
        Some((suspended, application))
    }

    /// The socket of an earlier process. It is closed until [`Self::await_client`] is called.
    pub(in crate::engine) fn restored(
        suspended: &SuspendedSocket,
        shared: &Arc<Shared>,
        recoverable: &Arc<RecoverableSockets<Self>>,
    ) -> Arc<Self> {
        let recovery = &shared.settings.recovery;
        let (events, last_removed) = (&suspended.events, suspended.last_removed);
        Arc::new(Self {
            id: suspended.id,
            legacy_id: None,
            namespace: suspended.namespace.clone(),
            connected_at: suspended.connected_at,
            protocol: Protocol::V4,
            session: LibrarySession::closed(suspended.id),
            pid: Some(suspended.pid.clone()),
            state: Mutex::new(State {
                phase: Phase::Closed,
                handshake: ChargedHandshake::of_earlier_process(suspended.address, suspended.requested_at),
                application: None,
                log: RecoveryLog::restored(events, last_removed, recovery.events, recovery.bytes, &shared.account),
                replays: Replays::default(),
                changes: Vec::new(),
                pending_acks: HashMap::new(),
            }),
            shared: shared.clone(),
            recoverable: recoverable.clone(),
        })
    }

    /// Makes a restored socket recoverable for the rest of its window, which is at most `recovery.window`. The caller
    /// must end the returned sockets, which are beyond the limits, when it holds no lock.
    #[must_use]
    pub(crate) fn await_client(
        self: &Arc<Self>,
        application: Arc<dyn Application>,
        suspended: &SuspendedSocket,
    ) -> Vec<Arc<Self>> {
        let mut state = self.state();
        let until = Instant::now() + suspended.remaining.min(self.shared.settings.recovery.window);
        let until = self.shared.timers.insert(until, Arc::downgrade(self) as _);
        state.phase = Phase::Away { reason: suspended.reason, until };
        let user = application.user();
        state.application = Some(application);
        if let Some(pid) = &self.pid {
            self.recoverable.add_pid(pid, self);
        }
        self.recoverable.add_away(self.id, self, user, suspended.reason)
    }
}
