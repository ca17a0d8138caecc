//! Limits repeated recoveries that break the connection. A client may crash on one of the events that it missed.
//! Without a limit, it would recover the socket, receive that event and disconnect for ever.

/// The last event that a recovering client has received, according to the offset that the client sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum LastReceived {
    /// It has received no event.
    NoEvent,
    /// The event with this number.
    Event(u64),
    /// The offset is not one of this process.
    Unknown,
}

impl LastReceived {
    /// The number of the event. 0 if there is none, or it is unknown.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Event(number) => number,
            Self::NoEvent | Self::Unknown => 0,
        }
    }
}

/// Maximum number of consecutive recoveries that end with a broken connection. After them the socket is not recovered
/// again.
const BREAKS_MAX: u32 = 2;

/// The recent recoveries of a socket.
#[derive(Debug, Default)]
pub(super) struct Replays {
    /// The number of the last event that was replayed. 0 if the client has sent a packet since.
    pub(super) last: u64,
    /// The number of recoveries in a row that broke the connection.
    broken: u32,
}

impl Replays {
    /// Whether the socket may be recovered once more. The last recovery counts as broken if the client has not received
    /// the last replayed event, and has sent nothing since.
    pub(super) fn may_replay(&mut self, last_received: LastReceived) -> bool {
        let last = std::mem::take(&mut self.last);
        self.broken = if last_received.number() < last { self.broken + 1 } else { 0 };
        self.broken < BREAKS_MAX
    }
}
