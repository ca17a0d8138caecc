//! A socket's client goes, and comes back.

use std::{sync::Arc, time::Instant};

use super::{Phase, Socket};
use crate::engine::{
    DisconnectReason,
    connection::Connection,
    flush::PendingFlush,
    recovery_log::RecoveryLog,
    timers::{Ticket, Timed},
};

impl Socket {
    /// A ping is about to be sent.
    pub(in crate::engine) fn pinged(&self) {
        self.state().log.pinged();
    }

    /// Its pong has come.
    pub(in crate::engine) fn confirmed(&self) {
        let mut state = self.state();
        state.log.confirmed();
        state.replays = Replays::default();
    }

    /// Bytes of its log, each event in full.
    pub(in crate::engine) fn log_bytes(&self) -> usize {
        self.state().log.bytes()
    }

    /// Forgets its log: from now on its client can only come back if it has seen everything.
    pub(in crate::engine) fn give_up_log(&self) {
        self.state().log.give_up();
    }

    /// The connection is gone.
    pub(in crate::engine) fn disconnected(self: &Arc<Self>, connection: &Arc<Connection>, reason: DisconnectReason) {
        let mut state = self.state();
        let (Phase::Connected(own) | Phase::Connecting(own)) = &state.phase else { return };
        if !Arc::ptr_eq(own, connection) {
            // The client has come back through another connection.
            return;
        }
        let may_return = matches!(state.phase, Phase::Connected(_)) && self.pid.is_some() && reason.is_recoverable();
        if !may_return {
            drop(state);
            return self.finish(reason);
        }
        let until = Instant::now() + self.engine.settings.recovery.window;
        let until = self.engine.timers.insert(until, Arc::downgrade(self) as _);
        state.phase = Phase::Away { reason, until };
        state.asked.clear();
        let Some(application) = state.application.clone() else { return };
        application.leave_seat();
        let evicted = self.engine.away.add(self, application.user());
        drop(state);
        application.moved();
        for socket in evicted {
            socket.give_up();
        }
    }

    /// The client is back: what it missed leaves first, then CONNECT.
    pub(in crate::engine) fn resume(self: &Arc<Self>, connection: &Arc<Connection>, seen: Seen, auth: &str) -> Resumed {
        let mut pending = PendingFlush::new(&self.engine);
        let Some(application) = self.state().application.clone() else { return Resumed::NotYours };
        if !application.readmit(&connection.handshake, auth) {
            return Resumed::NotYours;
        }
        let mut guard = self.state();
        let state = &mut *guard;
        let hanging = match &state.phase {
            Phase::Away { .. } => None,
            Phase::Connected(hanging) if !Arc::ptr_eq(hanging, connection) => Some(hanging.clone()),
            Phase::Connected(_) | Phase::Connecting(_) | Phase::Closed => return Resumed::NotYours,
        };
        if !state.replays.may_go_on(seen) {
            drop(guard);
            tracing::info!(socket = %self.id, "not recovered: what it missed has broken its connection twice");
            self.finish(DisconnectReason::TransportClose);
            return Resumed::Broken;
        }
        if !seen.is_in(&state.log) {
            drop(guard);
            self.finish(DisconnectReason::TransportClose);
            return Resumed::Lost;
        }
        if hanging.is_none() && !application.take_seat(&connection.handshake) {
            return Resumed::NotYours;
        }
        if !connection.add_socket(self) {
            if hanging.is_none() {
                application.leave_seat();
            }
            return Resumed::NotYours;
        }
        connection.joined();
        if let Phase::Away { until, .. } = std::mem::replace(&mut state.phase, Phase::Connected(connection.clone())) {
            self.engine.timers.remove(until);
            self.engine.away.remove(self, &application.user());
        }
        for frame in state.log.after(seen.number()) {
            state.replays.last = frame.number();
            connection.push(frame, false, &mut pending);
        }
        connection.push(&self.connect_frame(), false, &mut pending);
        drop(guard);
        match hanging {
            None => application.moved(),
            Some(hanging) => hanging.lose(DisconnectReason::TransportClose),
        }
        Resumed::Yes
    }

    /// The client must not come back any more, if it has not.
    pub(in crate::engine) fn give_up(self: &Arc<Self>) {
        self.finish_if(|phase| match phase {
            Phase::Away { reason, .. } => Some(*reason),
            _ => None,
        });
    }
}

impl Timed for Socket {
    /// The recovery window is over. A ticket of an earlier window has no effect.
    fn timer_due(self: Arc<Self>, ticket: Ticket, _: Instant) {
        self.finish_if(|phase| match phase {
            Phase::Away { reason, until } if *until == ticket => Some(*reason),
            _ => None,
        });
    }
}

/// The last event a client that comes back has seen.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum Seen {
    /// None at all.
    Nothing,
    /// The one of this number.
    Until(u64),
    /// One that was never sent by this process.
    Unknown,
}

impl Seen {
    /// Its number; 0 stands for none at all.
    fn number(self) -> u64 {
        match self {
            Self::Until(number) => number,
            Self::Nothing | Self::Unknown => 0,
        }
    }

    /// Whether everything that came after it is still there.
    fn is_in(self, log: &RecoveryLog) -> bool {
        !matches!(self, Self::Unknown) && log.is_whole_after(self.number())
    }
}

/// Whether a client found its socket again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Resumed {
    Yes,
    /// It is not this client's, or not to be had now.
    NotYours,
    /// It could only have been had with a hole.
    Lost,
    /// What its client missed has broken the connection again and again.
    Broken,
}

/// Connections that may break at what their clients have missed.
const BREAKS_MAX: u32 = 2;

/// What became of the replays of events that a client missed. There may be one among them that its client cannot take:
/// it would be replayed, and break the connection, for ever.
#[derive(Debug, Default)]
pub(super) struct Replays {
    /// The number of the last event that was replayed; 0 where the client has said something since.
    last: u64,
    /// How many replays broke the connection, one after the other.
    broken: u32,
}

impl Replays {
    /// Whether there may be one more. A client that comes back without having seen all of the last one, and has said
    /// nothing in between, was broken by it.
    fn may_go_on(&mut self, seen: Seen) -> bool {
        let last = std::mem::take(&mut self.last);
        self.broken = if seen.number() < last { self.broken + 1 } else { 0 };
        self.broken < BREAKS_MAX
    }
}
