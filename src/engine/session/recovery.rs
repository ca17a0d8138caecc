//! A socket's client goes, and comes back.

use std::{sync::Arc, time::Instant};

use super::{Phase, Session};
use crate::engine::{
    DisconnectReason,
    flush::Batch,
    link::Link,
    wheel::{Ticket, Timed},
};

impl Session {
    /// A ping is about to be sent.
    pub(in crate::engine) fn pinged(&self) {
        self.state().log.pinged();
    }

    /// Its pong has come.
    pub(in crate::engine) fn confirmed(&self) {
        self.state().log.confirmed();
    }

    /// The connection is gone.
    pub(in crate::engine) fn unlinked(self: &Arc<Self>, link: &Arc<Link>, reason: DisconnectReason) {
        let mut state = self.state();
        let (Phase::Connected(own) | Phase::Connecting(own)) = &state.phase else { return };
        if !Arc::ptr_eq(own, link) {
            // The client has come back through another connection.
            return;
        }
        let may_return = matches!(state.phase, Phase::Connected(_)) && self.pid.is_some() && reason.is_recoverable();
        if !may_return {
            drop(state);
            return self.finish(reason);
        }
        let until = Instant::now() + self.engine.settings.recovery.window;
        let until = self.engine.wheel.add(until, Timed::Session(Arc::downgrade(self)));
        state.phase = Phase::Away { reason, until };
        state.asked.clear();
        let Some(application) = state.application.clone() else { return };
        application.leave_seat();
        let evicted = self.engine.parked.add(self, application.user(), state.log.bytes());
        drop(state);
        application.moved();
        for session in evicted {
            session.give_up();
        }
    }

    /// The client is back: what it missed leaves first, then CONNECT. False where that cannot be had without a hole;
    /// then this socket is over.
    pub(in crate::engine) fn resume(self: &Arc<Self>, link: &Arc<Link>, seen: Seen, auth: &str) -> Resumed {
        let mut batch = Batch::new(&self.engine);
        let Some(application) = self.state().application.clone() else { return Resumed::Lost };
        if !application.readmit(&link.handshake, auth) {
            return Resumed::NotYours;
        }
        let mut guard = self.state();
        let state = &mut *guard;
        let hanging = match &state.phase {
            Phase::Away { .. } => None,
            Phase::Connected(hanging) if !Arc::ptr_eq(hanging, link) => Some(hanging.clone()),
            Phase::Connected(_) | Phase::Connecting(_) | Phase::Closed => return Resumed::NotYours,
        };
        let bytes = state.log.bytes();
        let missed = match seen {
            Seen::Nothing => state.log.after(None),
            Seen::Until(number) => state.log.after(Some(number)),
            Seen::Unknown => None,
        };
        let missed: Option<Vec<_>> = missed.map(|missed| missed.cloned().collect());
        let has_seat = hanging.is_some() || application.take_seat(&link.handshake);
        let (Some(missed), true) = (missed, has_seat) else {
            drop(guard);
            self.give_up();
            return Resumed::Lost;
        };
        if !link.add_session(self) {
            drop(guard);
            return Resumed::NotYours;
        }
        link.joined();
        for frame in &missed {
            link.push(frame, false, &mut batch);
        }
        link.push(&self.connect_frame(), false, &mut batch);
        if let Phase::Away { until, .. } = std::mem::replace(&mut state.phase, Phase::Connected(link.clone())) {
            self.engine.wheel.remove(until);
        }
        if hanging.is_none() {
            self.engine.parked.remove(self, &application.user(), bytes);
        }
        drop(guard);
        match hanging {
            None => application.moved(),
            Some(hanging) => hanging.lose(DisconnectReason::TransportClose),
        }
        Resumed::Yes
    }

    /// The time to come back is over.
    pub(in crate::engine) fn expire(self: &Arc<Self>, ticket: Ticket) {
        if matches!(self.state().phase, Phase::Away { until, .. } if until == ticket) {
            self.give_up();
        }
    }

    /// The client will not come back, or must not.
    pub(in crate::engine) fn give_up(self: &Arc<Self>) {
        let reason = match self.state().phase {
            Phase::Away { reason, .. } => reason,
            _ => DisconnectReason::TransportClose,
        };
        self.finish(reason);
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

/// Whether a client found its socket again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Resumed {
    Yes,
    /// It is not this client's, or not to be had now.
    NotYours,
    /// It could only have been had with a hole.
    Lost,
}
