//! The close frames that clients of plain WebSocket get (RFC 6455, section 7.4).

use std::sync::Arc;

use crate::engine::{DisconnectReason, frame::Frame, websocket::opcode};

/// A rule was broken that the sender's program knows.
const POLICY: u16 = 1008;

/// Says why the server ends a connection.
pub(in crate::engine) fn goodbye(reason: DisconnectReason) -> Arc<Frame> {
    match reason {
        DisconnectReason::ClientNamespaceDisconnect => frame(1000, "unregistered"),
        DisconnectReason::ServerShuttingDown => frame(1001, "server-closing"),
        DisconnectReason::ForcedServerClose => frame(POLICY, "not-registered"),
        DisconnectReason::SlowConsumer => frame(1013, "slow-consumer"),
        DisconnectReason::ServerNamespaceDisconnect => frame(4003, "kicked"),
        DisconnectReason::PingTimeout => frame(4008, "idle"),
        DisconnectReason::TransportClose
        | DisconnectReason::TransportError
        | DisconnectReason::ParseError
        | DisconnectReason::ForcedClose => frame(1002, ""),
    }
}

/// The client is not let in, for the reason of this code.
pub(super) fn refusal(code: &str) -> Arc<Frame> {
    frame(POLICY, code)
}

fn frame(status: u16, reason: &str) -> Arc<Frame> {
    Frame::control(opcode::CLOSE, &[&status.to_be_bytes(), reason.as_bytes()].concat())
}
