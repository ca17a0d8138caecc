//! The kinds of memory that is held for clients: the label of the metric `sockeye_memory_bytes`.

/// The number of kinds.
pub(super) const KINDS: usize = 7;

/// A kind of memory that is held for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum MemoryKind {
    /// Messages, packets and requests that are incomplete.
    Input,
    /// Long handshakes, kept until the connection ends, and long `auth`s of CONNECT, kept until the socket ends.
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

impl MemoryKind {
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
