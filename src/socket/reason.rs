use socketioxide::socket::DisconnectReason as Library;

/// Why a socket was disconnected, under Socket.IO's own names
/// (<https://socket.io/docs/v4/server-socket-instance/#disconnect>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// The client sent what is no packet.
    ParseError,
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
        }
    }
}

impl std::fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Library> for DisconnectReason {
    fn from(reason: Library) -> Self {
        match reason {
            Library::TransportClose => Self::TransportClose,
            Library::MultipleHttpPollingError | Library::TransportError => Self::TransportError,
            Library::PacketParsingError => Self::ParseError,
            Library::HeartbeatTimeout => Self::PingTimeout,
            Library::ClientNSDisconnect => Self::ClientNamespaceDisconnect,
            Library::ServerNSDisconnect => Self::ServerNamespaceDisconnect,
            Library::ClosingServer => Self::ServerShuttingDown,
        }
    }
}
