//! The protocol in which a connection sends: packets of Socket.IO, or their renderings for plain WebSocket. No other
//! sending code needs to know which one it is.

use std::{borrow::Cow, sync::Arc};

use super::{
    frame::Frame,
    plain::{
        close,
        state::{ConnectDecision, PlainState},
    },
    reason::DisconnectReason,
    settings::PlainSettings,
    shared::Frames,
    version::Protocol,
    websocket::opcode,
};

/// The protocol in which a connection sends.
pub(super) enum Wire {
    /// Engine.IO and Socket.IO, of any version.
    SocketIo,
    /// Plain WebSocket.
    Plain(Arc<PlainState>),
}

impl Wire {
    /// The sending protocol for a client with this protocol.
    pub(super) fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::V4 | Protocol::V3 => Self::SocketIo,
            Protocol::Plain => Self::Plain(Arc::default()),
        }
    }

    /// Renders a packet of a socket for the client. `None` if the client does not get it.
    pub(super) fn render<'a>(&self, frame: &'a Arc<Frame>, settings: &PlainSettings) -> Option<Cow<'a, Arc<Frame>>> {
        match self {
            Self::SocketIo => Some(Cow::Borrowed(frame)),
            Self::Plain(plain) => plain.rendered(frame, settings),
        }
    }

    /// The ping frame for the client.
    pub(super) fn ping<'a>(&self, frames: &'a Frames) -> &'a Arc<Frame> {
        match self {
            Self::SocketIo => &frames.ping,
            Self::Plain(_) => &frames.websocket_ping,
        }
    }

    /// The close frame with which the server ends a WebSocket. Its status code is `status`. Without `status`, plain
    /// WebSocket has a status code for each reason, and Socket.IO sends none.
    pub(super) fn close_frame(&self, reason: DisconnectReason, status: Option<u16>) -> Arc<Frame> {
        match (self, status) {
            (Self::Plain(_), None) => close::for_reason(reason),
            _ => close_frame(status),
        }
    }

    /// The close frame for a slow consumer. `None` if the TCP connection is dropped without one.
    pub(super) fn slow_consumer_close(&self) -> Option<Arc<Frame>> {
        match self {
            Self::SocketIo => None,
            Self::Plain(_) => Some(close::for_reason(DisconnectReason::SlowConsumer)),
        }
    }

    /// Stores the decision on the CONNECT of a plain WebSocket client, for the connection's reader. Returns false for a
    /// Socket.IO client: the caller then sends CONNECT or CONNECT_ERROR.
    pub(super) fn decide(&self, decision: impl FnOnce() -> ConnectDecision) -> bool {
        let Self::Plain(plain) = self else { return false };
        plain.decide(decision());
        true
    }

    /// The state of a client of plain WebSocket.
    pub(super) fn plain(&self) -> Option<&Arc<PlainState>> {
        match self {
            Self::SocketIo => None,
            Self::Plain(plain) => Some(plain),
        }
    }
}

/// A close frame with this status code, or with none.
pub(super) fn close_frame(status: Option<u16>) -> Arc<Frame> {
    let status = status.map(u16::to_be_bytes);
    Frame::control(opcode::CLOSE, status.as_ref().map_or(&[], |bytes| bytes))
}
