//! The deadlines of one connection: the next ping, the ping timeout, the timeout for CONNECT, the maximum time without
//! a read, and the close of the transport. One timer serves all of them.

use std::{
    sync::Weak,
    time::{Duration, Instant},
};

use crate::engine::{
    reason::DisconnectReason,
    settings::Settings,
    timers::{Ticket, Timed, Timers},
    version::Protocol,
};

/// How long the server may stop reading from a connection, before it drops the connection. While the server does not
/// read, the ping timeout is suspended.
pub(in crate::engine) const STALL_MAX: Duration = Duration::from_secs(60);

/// How long the transport stays open after the client itself has closed the connection.
const CLOSE_AFTER_CLIENT_CLOSE: Duration = Duration::from_secs(2);
/// How long a polling client may take to fetch the server's last packets, as in Node.
const CLOSE_AFTER_FETCH: Duration = Duration::from_secs(30);
/// How long a client of plain WebSocket may take to read the close frame and close the connection.
const CLOSE_AFTER_CLOSE_FRAME: Duration = Duration::from_secs(5);

/// The deadlines of one connection, and its one timer.
///
/// Engine.IO 4: the server pings, first one interval after the handshake, then one interval after each pong. Engine.IO
/// 3: the client pings. Plain WebSocket: the server pings at every interval, and the client must send a frame of any
/// kind within the idle timeout.
pub(super) struct ConnectionDeadlines {
    protocol: Protocol,
    /// When to send the next ping.
    ping_at: Option<Instant>,
    /// The latest time at which a pong, a ping or a frame must arrive from the client.
    receive_by: Option<Instant>,
    /// The latest time at which the client must join a namespace.
    connect_by: Option<Instant>,
    /// When to close the transport of a connection that has ended.
    close_at: Option<Instant>,
    /// When the server stopped reading from the client. `receive_by` is suspended until it reads again.
    stalled_since: Option<Instant>,
    /// The timer that is set. It may fire before the next deadline, but never after it.
    timer: Option<Ticket>,
}

/// The deadline that has passed.
pub(super) enum Due {
    Nothing,
    Ping,
    /// The client has sent nothing for too long.
    PingTimeout,
    /// The client has joined no namespace in time.
    ConnectTimeout,
    /// The server has not read from the client for [`STALL_MAX`].
    StallTimeout,
    /// Close the transport.
    CloseTransport,
}

impl ConnectionDeadlines {
    /// The deadlines after a handshake.
    pub(super) fn new(protocol: Protocol, settings: &Settings, now: Instant) -> Self {
        let (ping_at, receive_by) = match protocol {
            Protocol::V4 => (Some(now + settings.ping_interval), None),
            Protocol::V3 => (None, Some(now + settings.ping_interval + settings.ping_timeout)),
            Protocol::Plain => (Some(now + settings.plain.ping_interval), Some(now + settings.plain.idle_timeout)),
        };
        Self {
            protocol,
            ping_at,
            receive_by,
            connect_by: Some(now + settings.connect_timeout),
            close_at: None,
            stalled_since: None,
            timer: None,
        }
    }

    /// A client of Engine.IO 4 has answered a ping.
    pub(super) fn pong_arrived(&mut self, now: Instant, settings: &Settings) {
        self.receive_by = None;
        self.ping_at = Some(now + settings.ping_interval);
    }

    /// A client has sent a ping. It extends the deadline of a client of Engine.IO 3 only.
    pub(super) fn ping_arrived(&mut self, now: Instant, settings: &Settings) {
        if self.protocol == Protocol::V3 {
            self.receive_by = Some(now + settings.ping_interval + settings.ping_timeout);
        }
    }

    /// A client of plain WebSocket has sent a frame.
    pub(super) fn frame_arrived(&mut self, now: Instant, settings: &Settings) {
        self.receive_by = Some(now + settings.plain.idle_timeout);
    }

    /// The server has stopped reading from the client, or has resumed.
    pub(super) fn stall(&mut self, is_stalled: bool, now: Instant) {
        if is_stalled {
            self.stalled_since = Some(now);
        } else if let Some(since) = self.stalled_since.take() {
            self.receive_by = self.receive_by.map(|deadline| deadline + now.saturating_duration_since(since));
        }
    }

    /// The client has joined a namespace.
    pub(super) fn connected(&mut self) {
        self.connect_by = None;
    }

    /// The client has left its last namespace.
    pub(super) fn expect_connect(&mut self, until: Instant) {
        self.connect_by = Some(until);
    }

    /// The connection has ended for this reason. Only the deadline for closing its transport remains.
    pub(super) fn connection_ended(&mut self, now: Instant, reason: DisconnectReason) {
        (self.ping_at, self.receive_by, self.connect_by, self.stalled_since) = (None, None, None, None);
        self.close_at = Some(
            now + match (reason, self.protocol) {
                (DisconnectReason::TransportClose, _) => CLOSE_AFTER_CLIENT_CLOSE,
                (_, Protocol::Plain) => CLOSE_AFTER_CLOSE_FRAME,
                _ => CLOSE_AFTER_FETCH,
            },
        );
    }

    /// The next deadline.
    fn next(&self) -> Option<Instant> {
        let (receive_by, stalled_until) = match self.stalled_since {
            None => (self.receive_by, None),
            Some(since) => (None, Some(since + STALL_MAX)),
        };
        [self.ping_at, receive_by, stalled_until, self.connect_by, self.close_at].into_iter().flatten().min()
    }

    /// Sets the timer for the next deadline. A timer that is set for an earlier time is kept, because most deadlines
    /// are only postponed. If the timer fires too early, [`Self::due`] returns [`Due::Nothing`].
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

    /// Whether the timer that has fired is the one that was set last. If so, no timer is set any more.
    pub(super) fn is_scheduled_for(&mut self, ticket: Ticket) -> bool {
        self.timer.take_if(|timer| *timer == ticket).is_some()
    }

    /// Returns a deadline that has passed, and sets the next one of its kind. If several have passed, returns one.
    pub(super) fn due(&mut self, now: Instant, has_sockets: bool, settings: &Settings) -> Due {
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if is_due(self.close_at) {
            return Due::CloseTransport;
        }
        match self.stalled_since {
            Some(since) if since + STALL_MAX <= now => return Due::StallTimeout,
            None if is_due(self.receive_by) => return Due::PingTimeout,
            _ => {}
        }
        if is_due(self.connect_by) {
            // Engine.IO: this deadline is checked once, as in Node. Plain WebSocket: it is checked again and again. A
            // CONNECT may be refused later, and then the client must not stay without a namespace.
            self.connect_by = (self.protocol == Protocol::Plain).then(|| now + settings.connect_timeout);
            if !has_sockets {
                return Due::ConnectTimeout;
            }
        }
        if is_due(self.ping_at) {
            (self.ping_at, self.receive_by) = match self.protocol {
                Protocol::Plain => (Some(now + settings.plain.ping_interval), self.receive_by),
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
    fn while_the_server_does_not_read_the_stall_timeout_replaces_the_ping_timeout() {
        let settings = settings(&Config::default());
        let (interval, timeout) = (settings.ping_interval, settings.ping_timeout);
        let start = Instant::now();
        let mut deadlines = ConnectionDeadlines::new(Protocol::V4, &settings, start);
        let pinged = start + interval;
        assert!(matches!(deadlines.due(pinged, true, &settings), Due::Ping));
        deadlines.connected();
        deadlines.stall(true, pinged + timeout / 2);
        assert!(matches!(deadlines.due(pinged + timeout * 2, true, &settings), Due::Nothing));
        assert_eq!(deadlines.next(), Some(pinged + timeout / 2 + STALL_MAX));
        // The ping timeout continues with the time that remained when reading stopped.
        deadlines.stall(false, pinged + timeout * 2);
        let deadline = pinged + timeout * 2 + timeout / 2;
        assert_eq!(deadlines.next(), Some(deadline));
        assert!(matches!(deadlines.due(deadline - Duration::from_millis(1), true, &settings), Due::Nothing));
        assert!(matches!(deadlines.due(deadline, true, &settings), Due::PingTimeout));
        deadlines.stall(true, deadline);
        assert!(matches!(deadlines.due(deadline + STALL_MAX, true, &settings), Due::StallTimeout));
    }
}
