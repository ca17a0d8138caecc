//! The close frames that clients of plain WebSocket get (RFC 6455, section 7.4).

use std::sync::Arc;

use crate::engine::{frame::Frame, reason::DisconnectReason, websocket::opcode};

/// The status code for a client that is not admitted.
const POLICY: u16 = 1008;
/// Maximum number of bytes of a reason. A control frame has at most 125 bytes, and the status code takes two of them.
const REASON_MAX: usize = 123;

/// The close frame with which the server ends a connection.
pub(in crate::engine) fn for_reason(reason: DisconnectReason) -> Arc<Frame> {
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

/// The close frame for a client that is not admitted. Its reason is the error code.
pub(super) fn connect_error(code: &str) -> Arc<Frame> {
    frame(POLICY, code)
}

fn frame(status: u16, reason: &str) -> Arc<Frame> {
    let reason = &reason[..reason.floor_char_boundary(REASON_MAX)];
    Frame::control(opcode::CLOSE, &[&status.to_be_bytes(), reason.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::version::Protocol;

    #[test]
    fn a_long_error_code_is_cut_at_a_character() {
        let frame = connect_error(&"é".repeat(100));
        let [0x88, 124, 0x03, 0xF0, reason @ ..] = frame.websocket_bytes(Protocol::Plain) else {
            panic!("not a close frame")
        };
        assert_eq!(reason, "é".repeat(61).as_bytes());
    }
}
