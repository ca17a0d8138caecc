//! Recoveries that break the connection again: a client may not be able to take one of the events that it missed. It
//! would be sent that event and break off, for ever.

/// The last event that a recovering client has received.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seen {
    /// None at all.
    Nothing,
    /// The one of this number.
    Until(u64),
    /// One that this process never sent.
    Unknown,
}

impl Seen {
    /// Its number; 0 stands for none at all.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Until(number) => number,
            Self::Nothing | Self::Unknown => 0,
        }
    }
}

/// How many connections in a row may break at the events that their client missed.
const BREAKS_MAX: u32 = 2;

/// What became of a socket's recoveries.
#[derive(Debug, Default)]
pub(super) struct Replays {
    /// The number of the last event that was sent again; 0 where the client has sent something since.
    pub(super) last: u64,
    /// How many recoveries in a row broke the connection.
    broken: u32,
}

impl Replays {
    /// Whether there may be one more. A client that comes back without having received the last event that was sent
    /// again, and has sent nothing in between, was broken by it.
    pub(super) fn may_go_on(&mut self, seen: Seen) -> bool {
        let last = std::mem::take(&mut self.last);
        self.broken = if seen.number() < last { self.broken + 1 } else { 0 };
        self.broken < BREAKS_MAX
    }
}
