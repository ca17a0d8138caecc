//! What memory is held for: the label of the metric `sockeye_memory_bytes`.

/// How many kinds there are.
pub(super) const KINDS: usize = 7;

/// What memory is held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Messages, packets and requests that are incomplete.
    Input,
    /// Long handshakes and long `auth`s of CONNECT, kept as long as the connection or the socket.
    Handshakes,
    /// Events in the queues of sockets or in their handlers.
    Events,
    /// Writes that wait for their commit.
    Writes,
    /// Packets in the queues of connections.
    Output,
    /// Packets that only recovery logs hold.
    Logs,
    /// Bodies of HTTP requests and responses.
    Http,
}

impl Kind {
    /// All kinds.
    pub(super) const ALL: [Self; KINDS] =
        [Self::Input, Self::Handshakes, Self::Events, Self::Writes, Self::Output, Self::Logs, Self::Http];

    /// The metric's label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Handshakes => "handshakes",
            Self::Events => "events",
            Self::Writes => "writes",
            Self::Output => "output",
            Self::Logs => "logs",
            Self::Http => "http",
        }
    }
}
