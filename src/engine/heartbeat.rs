//! A connection's heartbeat: when to ping it, when to end it, and when to close its transport.

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

/// How long a client that has been told that its connection is over may take to close its transport.
const CLOSE_AFTER_GOODBYE: Duration = Duration::from_secs(2);
/// How long a polling client may take to fetch the server's last packets, as in Node.
const CLOSE_AFTER_FETCH: Duration = Duration::from_secs(30);
/// How long a client of plain WebSocket may take to read the close frame and close the connection.
const CLOSE_AFTER_CLOSE_FRAME: Duration = Duration::from_secs(5);

/// The deadlines of one connection, and its one timer.
///
/// Engine.IO 4: the server pings, first one interval after the handshake, then one interval after each pong. Engine.IO
/// 3: the client pings. Plain WebSocket: the server pings at every interval, and the client must send a frame of any
/// kind within the idle timeout.
pub(super) struct Beat {
    protocol: Protocol,
    /// When to send the next ping.
    ping_at: Option<Instant>,
    /// By when a pong, a ping or a frame must have arrived from the client.
    heard_by: Option<Instant>,
    /// By when the client must have connected to a namespace.
    connect_by: Option<Instant>,
    /// When to close the transport of a connection that has ended.
    close_at: Option<Instant>,
    /// Since when the server has stopped reading from the client; `heard_by` is suspended meanwhile.
    stalled_since: Option<Instant>,
    /// The timer that is set. It may be earlier than the next deadline, never later.
    timer: Option<Ticket>,
}

/// The deadline that has come.
pub(super) enum Due {
    Nothing,
    Ping,
    /// The client was silent for too long.
    PingTimeout,
    /// The client is in no namespace.
    ConnectTimeout,
    /// The server has stopped reading for [`STALL_MAX`].
    StallTimeout,
    /// Close the transport.
    Leave,
}

impl Beat {
    /// The deadlines after a handshake.
    pub(super) fn new(protocol: Protocol, settings: &Settings, now: Instant) -> Self {
        let (ping_at, heard_by) = match protocol {
            Protocol::V4 => (Some(now + settings.ping_interval), None),
            Protocol::V3 => (None, Some(now + settings.ping_interval + settings.ping_timeout)),
            Protocol::Plain => (Some(now + settings.plain.ping_interval), Some(now + settings.plain.idle_timeout)),
        };
        Self {
            protocol,
            ping_at,
            heard_by,
            connect_by: Some(now + settings.connect_timeout),
            close_at: None,
            stalled_since: None,
            timer: None,
        }
    }

    /// A client of Engine.IO 4 has answered a ping.
    pub(super) fn pong_arrived(&mut self, now: Instant, settings: &Settings) {
        self.heard_by = None;
        self.ping_at = Some(now + settings.ping_interval);
    }

    /// A client has pinged. Only a client of Engine.IO 3 prolongs its deadline by it.
    pub(super) fn ping_arrived(&mut self, now: Instant, settings: &Settings) {
        if self.protocol == Protocol::V3 {
            self.heard_by = Some(now + settings.ping_interval + settings.ping_timeout);
        }
    }

    /// A client of plain WebSocket has sent a frame.
    pub(super) fn frame_arrived(&mut self, now: Instant, settings: &Settings) {
        self.heard_by = Some(now + settings.plain.idle_timeout);
    }

    /// The server has stopped reading from the client, or reads again.
    pub(super) fn stall(&mut self, is_stalled: bool, now: Instant) {
        if is_stalled {
            self.stalled_since = Some(now);
        } else if let Some(since) = self.stalled_since.take() {
            self.heard_by = self.heard_by.map(|deadline| deadline + now.saturating_duration_since(since));
        }
    }

    /// The client has connected to a namespace.
    pub(super) fn connected(&mut self) {
        self.connect_by = None;
    }

    /// The client has left its last namespace.
    pub(super) fn expect_connect(&mut self, until: Instant) {
        self.connect_by = Some(until);
    }

    /// The connection has ended for this reason. The only deadline left is that for closing its transport.
    pub(super) fn leave(&mut self, now: Instant, reason: DisconnectReason) {
        (self.ping_at, self.heard_by, self.connect_by, self.stalled_since) = (None, None, None, None);
        self.close_at = Some(
            now + match (reason, self.protocol) {
                (DisconnectReason::TransportClose, _) => CLOSE_AFTER_GOODBYE,
                (_, Protocol::Plain) => CLOSE_AFTER_CLOSE_FRAME,
                _ => CLOSE_AFTER_FETCH,
            },
        );
    }

    /// The next deadline.
    fn next(&self) -> Option<Instant> {
        let (heard_by, stalled_until) = match self.stalled_since {
            None => (self.heard_by, None),
            Some(since) => (None, Some(since + STALL_MAX)),
        };
        [self.ping_at, heard_by, stalled_until, self.connect_by, self.close_at].into_iter().flatten().min()
    }

    /// Sets the timer for the next deadline. A timer that goes off earlier is left: most deadlines only move back, and
    /// [`Self::due`] then says that nothing is due.
    pub(super) fn schedule(&mut self, timers: &Timers, connection: impl FnOnce() -> Weak<dyn Timed>) {
        let Some(next) = self.next() else { return self.unschedule(timers) };
        self.timer = Some(match self.timer {
            Some(timer) if timer.at() <= next => return,
            Some(timer) => timers.reset(timer, next, connection()),
            None => timers.insert(next, connection()),
        });
    }

    /// Removes the timer.
    pub(super) fn unschedule(&mut self, timers: &Timers) {
        if let Some(timer) = self.timer.take() {
            timers.remove(timer);
        }
    }

    /// Whether this timer, which has gone off, is the one that was set last. No timer is set afterwards.
    pub(super) fn is_scheduled_for(&mut self, ticket: Ticket) -> bool {
        self.timer.take_if(|timer| *timer == ticket).is_some()
    }

    /// The deadline that has come, and advances it. Where several have come, one is returned.
    pub(super) fn due(&mut self, now: Instant, has_sockets: bool, settings: &Settings) -> Due {
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if is_due(self.close_at) {
            return Due::Leave;
        }
        match self.stalled_since {
            Some(since) if since + STALL_MAX <= now => return Due::StallTimeout,
            None if is_due(self.heard_by) => return Due::PingTimeout,
            _ => {}
        }
        if is_due(self.connect_by) {
            // Engine.IO checks once, as Node does. Plain WebSocket checks again, since CONNECT may be refused after
            // this and the client must not stay.
            self.connect_by = (self.protocol == Protocol::Plain).then(|| now + settings.connect_timeout);
            if !has_sockets {
                return Due::ConnectTimeout;
            }
        }
        if is_due(self.ping_at) {
            (self.ping_at, self.heard_by) = match self.protocol {
                Protocol::Plain => (Some(now + settings.plain.ping_interval), self.heard_by),
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
    fn the_ping_timeout_is_suspended_while_the_server_does_not_read_but_not_for_ever() {
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
        // The time that was left when reading stopped is left again.
        beat.stall(false, pinged + timeout * 2);
        let deadline = pinged + timeout * 2 + timeout / 2;
        assert_eq!(beat.next(), Some(deadline));
        assert!(matches!(beat.due(deadline - Duration::from_millis(1), true, &settings), Due::Nothing));
        assert!(matches!(beat.due(deadline, true, &settings), Due::PingTimeout));
        beat.stall(true, deadline);
        assert!(matches!(beat.due(deadline + STALL_MAX, true, &settings), Due::StallTimeout));
    }
}
