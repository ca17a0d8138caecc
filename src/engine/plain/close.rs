//! The close frames that clients of plain WebSocket get (RFC 6455, section 7.4).

use std::sync::Arc;

use crate::engine::{frame::Frame, reason::DisconnectReason, websocket::opcode};

/// The status code for a client that is not let in.
const POLICY: u16 = 1008;
/// The most bytes of a reason: a control frame has 125, and two are the status code's.
const REASON_MAX: usize = 123;

/// The close frame with which the server ends a connection.
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

/// The close frame for a client that is not let in, with the code of the error as the reason.
pub(super) fn refusal(code: &str) -> Arc<Frame> {
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
    fn a_code_of_an_applications_own_may_be_long() {
        let frame = refusal(&"é".repeat(100));
        let [0x88, 124, 0x03, 0xF0, reason @ ..] = frame.wire(Protocol::Plain) else { panic!("not a close frame") };
        assert_eq!(reason, "é".repeat(61).as_bytes());
    }
}
