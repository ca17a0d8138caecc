//! The reasons for which sockets are disconnected.

/// Why a socket was disconnected. All names but the last are Socket.IO's
/// (<https://socket.io/docs/v4/server-socket-instance/#disconnect>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client called `disconnect()`.
    ClientNamespaceDisconnect,
    /// The server disconnected the socket.
    ServerNamespaceDisconnect,
    /// The server is shutting down.
    ServerShuttingDown,
    /// The client did not answer a ping in time.
    PingTimeout,
    /// The transport was closed.
    TransportClose,
    /// The transport failed.
    TransportError,
    /// The client sent something that is not a packet of Engine.IO.
    ParseError,
    /// The client sent something that is not a packet of Socket.IO.
    ForcedClose,
    /// The client sent a packet that it must not send in its state.
    ForcedServerClose,
    /// The client read so slowly that too many bytes for it were unsent (`limits.queued-bytes`).
    SlowConsumer,
}

impl DisconnectReason {
    /// The reason's name in Socket.IO.
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

    /// Whether it is an error of Engine.IO. As in Node, a polling session is then removed at once, so that its client
    /// cannot fetch its last packets.
    pub(super) const fn is_of_engine(self) -> bool {
        matches!(self, Self::PingTimeout | Self::TransportError | Self::ParseError)
    }

    /// All reasons.
    const ALL: [Self; 10] = [
        Self::ClientNamespaceDisconnect,
        Self::ServerNamespaceDisconnect,
        Self::ServerShuttingDown,
        Self::PingTimeout,
        Self::TransportClose,
        Self::TransportError,
        Self::ParseError,
        Self::ForcedClose,
        Self::ForcedServerClose,
        Self::SlowConsumer,
    ];

    /// The reason with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Whether the client may recover its sockets. The list is Node's. After a shutdown, the next process has the
    /// sockets, or they end with this process.
    pub(super) const fn is_recoverable(self) -> bool {
        matches!(
            self,
            Self::PingTimeout
                | Self::ServerShuttingDown
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
