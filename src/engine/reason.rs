//! Why a socket was disconnected.

/// Why a socket was disconnected, under Socket.IO's own names
/// (<https://socket.io/docs/v4/server-socket-instance/#disconnect>), and one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client called `disconnect()`.
    ClientNamespaceDisconnect,
    /// The server kicked it.
    ServerNamespaceDisconnect,
    /// The server is going down.
    ServerShuttingDown,
    /// No answer to a ping in time.
    PingTimeout,
    /// The connection was closed.
    TransportClose,
    /// The connection failed.
    TransportError,
    /// The client sent what is no packet of Engine.IO.
    ParseError,
    /// The client sent what is no packet of Socket.IO.
    ForcedClose,
    /// The client sent what it may not send at that moment.
    ForcedServerClose,
    /// The client read so slowly that too much waited for it (`limits.queued-bytes`).
    SlowConsumer,
}

impl DisconnectReason {
    /// As Socket.IO spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::ServerShuttingDown => "server shutting down",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::ForcedServerClose => "forced server close",
            Self::SlowConsumer => "slow-consumer",
        }
    }

    /// Whether it is Engine.IO itself that has ended: then Node forgets a session of polling at once, and leaves no goodbye
    /// to be fetched.
    pub(super) const fn is_of_engine(self) -> bool {
        matches!(self, Self::PingTimeout | Self::TransportError | Self::ParseError)
    }

    /// Whether a client that comes back may go on where it was.
    pub(super) const fn is_recoverable(self) -> bool {
        matches!(
            self,
            Self::PingTimeout
                | Self::TransportClose
                | Self::TransportError
                | Self::ForcedClose
                | Self::ForcedServerClose
        )
    }
}

impl std::fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
