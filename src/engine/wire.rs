//! What a connection's client is sent: packets of Socket.IO as they are, or what plain WebSocket has instead. Nothing
//! else that sends needs to know which of the two the client speaks.

use std::{borrow::Cow, sync::Arc};

use super::{
    frame::Frame,
    plain::{
        close,
        state::{Plain, Verdict},
    },
    reason::DisconnectReason,
    settings::PlainSettings,
    shared::Frames,
    version::Protocol,
    websocket::opcode,
};

/// The language of a connection's client.
pub(super) enum Wire {
    /// Engine.IO and Socket.IO, of any version.
    SocketIo,
    /// Plain WebSocket.
    Plain(Arc<Plain>),
}

impl Wire {
    /// The language of clients that speak this version of Engine.IO, or none.
    pub(super) fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::V4 | Protocol::V3 => Self::SocketIo,
            Protocol::Plain => Self::Plain(Arc::default()),
        }
    }

    /// A packet of a socket as the client gets it. `None` if it gets nothing for it.
    pub(super) fn render<'a>(&self, frame: &'a Arc<Frame>, settings: &PlainSettings) -> Option<Cow<'a, Arc<Frame>>> {
        match self {
            Self::SocketIo => Some(Cow::Borrowed(frame)),
            Self::Plain(plain) => plain.rendered(frame, settings),
        }
    }

    /// The ping that the client gets.
    pub(super) fn ping<'a>(&self, frames: &'a Frames) -> &'a Arc<Frame> {
        match self {
            Self::SocketIo => &frames.ping,
            Self::Plain(_) => &frames.websocket_ping,
        }
    }

    /// The close frame with which the server ends a WebSocket: with this status code, or else with the one that plain
    /// WebSocket has for the reason.
    pub(super) fn goodbye(&self, reason: DisconnectReason, status: Option<u16>) -> Arc<Frame> {
        match (self, status) {
            (Self::Plain(_), None) => close::goodbye(reason),
            _ => close_frame(status),
        }
    }

    /// The close frame for a client that reads too slowly. `None` if it is disconnected without one.
    pub(super) fn slow_goodbye(&self) -> Option<Arc<Frame>> {
        match self {
            Self::SocketIo => None,
            Self::Plain(_) => Some(close::goodbye(DisconnectReason::SlowConsumer)),
        }
    }

    /// Keeps for the reader what was decided about a CONNECT of plain WebSocket. False for a client of Socket.IO, which
    /// is sent CONNECT or CONNECT_ERROR.
    pub(super) fn decide(&self, verdict: impl FnOnce() -> Verdict) -> bool {
        let Self::Plain(plain) = self else { return false };
        plain.decide(verdict());
        true
    }

    /// The state of a client of plain WebSocket.
    pub(super) fn plain(&self) -> Option<&Arc<Plain>> {
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
