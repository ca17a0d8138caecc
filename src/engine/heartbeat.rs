//! When a connection must be pinged, given up, or let go.

use std::{
    sync::Weak,
    time::{Duration, Instant},
};

use super::{
    reason::DisconnectReason,
    settings::Settings,
    timers::{Ticket, Timed, Timers},
    version::Protocol,
};

/// How long a connection may go without being read from; then it is dropped. Its ping deadline stands still meanwhile.
pub(super) const STALL_MAX: Duration = Duration::from_secs(60);
/// How long a client that was told goodbye may take to hang up.
const LEAVING: Duration = Duration::from_secs(2);
/// How long it may take to fetch the goodbye, as in Node.
const FETCHING: Duration = Duration::from_secs(30);
/// How long a client of plain WebSocket may take to read it, and to hang up.
const READING: Duration = Duration::from_secs(5);

/// A connection's clock. Engine.IO 4: the server pings, one interval after the last pong, and the first time one
/// interval after the handshake. Engine.IO 3: the client does. Plain WebSocket: the server pings at every interval,
/// and the client must be heard of, whatever it sends.
pub(super) struct Beat {
    protocol: Protocol,
    /// When to ping next.
    ping: Option<Instant>,
    /// Until when the client must have been heard of.
    heard: Option<Instant>,
    /// Until when it must have joined a namespace.
    connect: Option<Instant>,
    /// Until when it must have hung up.
    leave: Option<Instant>,
    /// Since when the server does not read from it: `heard` stands still.
    stalled: Option<Instant>,
    /// The timer that is set.
    scheduled: Option<(Instant, Ticket)>,
}

/// What is due.
pub(super) enum Due {
    Nothing,
    Ping,
    PingTimeout,
    ConnectTimeout,
    /// The server could not read from it for too long.
    StallTimeout,
    Leave,
}

impl Beat {
    pub(super) fn new(protocol: Protocol, settings: &Settings, now: Instant) -> Self {
        let (ping, heard) = match protocol {
            Protocol::V4 => (Some(now + settings.ping_interval), None),
            Protocol::V3 => (None, Some(now + settings.ping_interval + settings.ping_timeout)),
            Protocol::Plain => (Some(now + settings.plain.ping_interval), Some(now + settings.plain.idle_timeout)),
        };
        Self {
            protocol,
            ping,
            heard,
            connect: Some(now + settings.connect_timeout),
            leave: None,
            stalled: None,
            scheduled: None,
        }
    }

    pub(super) fn pong_arrived(&mut self, now: Instant, settings: &Settings) {
        self.heard = None;
        self.ping = Some(now + settings.ping_interval);
    }

    pub(super) fn ping_arrived(&mut self, now: Instant, settings: &Settings) {
        if self.protocol == Protocol::V3 {
            self.heard = Some(now + settings.ping_interval + settings.ping_timeout);
        }
    }

    /// A client of plain WebSocket has sent a frame.
    pub(super) fn frame_arrived(&mut self, now: Instant, settings: &Settings) {
        self.heard = Some(now + settings.plain.idle_timeout);
    }

    /// The server does not read from it, or does again.
    pub(super) fn stall(&mut self, is_stalled: bool, now: Instant) {
        if is_stalled {
            self.stalled = Some(now);
        } else if let Some(since) = self.stalled.take() {
            self.heard = self.heard.map(|heard| heard + now.saturating_duration_since(since));
        }
    }

    /// It is in a namespace.
    pub(super) fn connected(&mut self) {
        self.connect = None;
    }

    /// It is in no namespace any more.
    pub(super) fn expect_connect(&mut self, until: Instant) {
        self.connect = Some(until);
    }

    /// Only its hanging up is waited for.
    pub(super) fn leave(&mut self, now: Instant, reason: DisconnectReason) {
        (self.ping, self.heard, self.connect, self.stalled) = (None, None, None, None);
        self.leave = Some(
            now + match (reason, self.protocol) {
                (DisconnectReason::TransportClose, _) => LEAVING,
                (_, Protocol::Plain) => READING,
                _ => FETCHING,
            },
        );
    }

    fn next(&self) -> Option<Instant> {
        let (heard, stalled) = match self.stalled {
            None => (self.heard, None),
            Some(since) => (None, Some(since + STALL_MAX)),
        };
        [self.ping, heard, stalled, self.connect, self.leave].into_iter().flatten().min()
    }

    /// Sets the timer so that it goes off no later than something is due.
    pub(super) fn schedule(&mut self, timers: &Timers, timer: impl FnOnce() -> Weak<dyn Timed>) {
        let Some(next) = self.next() else { return self.unschedule(timers) };
        if self.scheduled.is_some_and(|(scheduled, _)| scheduled <= next) {
            return;
        }
        self.unschedule(timers);
        self.scheduled = Some((next, timers.add(next, timer())));
    }

    /// Nothing is due any more.
    pub(super) fn unschedule(&mut self, timers: &Timers) {
        if let Some((_, ticket)) = self.scheduled.take() {
            timers.remove(ticket);
        }
    }

    /// Whether this timer is the one that was set last. It is set no longer then.
    pub(super) fn is_scheduled_for(&mut self, ticket: Ticket) -> bool {
        let is_it = self.scheduled.is_some_and(|(_, own)| own == ticket);
        if is_it {
            self.scheduled = None;
        }
        is_it
    }

    /// What is due now; it is due no longer then.
    pub(super) fn due(&mut self, now: Instant, has_sockets: bool, settings: &Settings) -> Due {
        let is_due = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        if is_due(self.leave) {
            return Due::Leave;
        }
        match self.stalled {
            Some(since) if since + STALL_MAX <= now => return Due::StallTimeout,
            None if is_due(self.heard) => return Due::PingTimeout,
            _ => {}
        }
        if is_due(self.connect) {
            // Looked at once, as in Node. A client of plain WebSocket may be refused after this, and must not stay.
            self.connect = (self.protocol == Protocol::Plain).then(|| now + settings.connect_timeout);
            if !has_sockets {
                return Due::ConnectTimeout;
            }
        }
        if is_due(self.ping) {
            (self.ping, self.heard) = match self.protocol {
                Protocol::Plain => (Some(now + settings.plain.ping_interval), self.heard),
                Protocol::V4 | Protocol::V3 => (None, Some(now + settings.ping_timeout)),
            };
            return Due::Ping;
        }
        Due::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app::settings, config::Config};

    #[test]
    fn while_a_client_is_not_read_from_its_deadline_stands_still_for_a_while() {
        let settings = settings(&Config::default());
        let (interval, timeout) = (settings.ping_interval, settings.ping_timeout);
        let start = Instant::now();
        let mut beat = Beat::new(Protocol::V4, &settings, start);
        let pinged = start + interval;
        assert!(matches!(beat.due(pinged, true, &settings), Due::Ping));
        beat.connected();
        beat.stall(true, pinged + timeout / 2);
        assert!(matches!(beat.due(pinged + timeout * 2, true, &settings), Due::Nothing));
        assert_eq!(beat.next(), Some(pinged + timeout / 2 + STALL_MAX));
        // As much of it is left as was left before.
        beat.stall(false, pinged + timeout * 2);
        let deadline = pinged + timeout * 2 + timeout / 2;
        assert_eq!(beat.next(), Some(deadline));
        assert!(matches!(beat.due(deadline - Duration::from_millis(1), true, &settings), Due::Nothing));
        assert!(matches!(beat.due(deadline, true, &settings), Due::PingTimeout));
        beat.stall(true, deadline);
        assert!(matches!(beat.due(deadline + STALL_MAX, true, &settings), Due::StallTimeout));
    }
}
