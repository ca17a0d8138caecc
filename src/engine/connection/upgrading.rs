//! The steps of a connection's upgrade from polling to a WebSocket.

use std::sync::Arc;

use super::Connection;
use crate::engine::{
    frame::Frame,
    output::{PollState, Transport, TransportName, UpgradeState},
    stream::WriteHalf,
    websocket::opcode,
};

impl Connection {
    /// The current transport.
    pub(in crate::engine) fn transport_name(&self) -> TransportName {
        if self.output().is_websocket() { TransportName::WebSocket } else { TransportName::Polling }
    }

    /// Begins the upgrade to a WebSocket. False if another WebSocket is being probed, or the transport is not polling.
    pub(in crate::engine) fn begin_upgrade(&self) -> bool {
        let mut output = self.output();
        let Transport::Polling { upgrade: upgrade @ UpgradeState::None, .. } = output.transport() else { return false };
        *upgrade = UpgradeState::Probing;
        true
    }

    /// Answers a waiting poll: the client completes the upgrade only after the answer to its poll.
    pub(in crate::engine) fn release_poll(&self) {
        if let Transport::Polling { poll, .. } = self.output().transport()
            && let PollState::Waiting(waker) = poll
        {
            let waker = waker.take();
            *poll = PollState::Released;
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Ends a failed upgrade. The client continues with polling.
    pub(in crate::engine) fn abandon_upgrade(&self) {
        if let Transport::Polling { upgrade, .. } = self.output().transport() {
            *upgrade = UpgradeState::None;
        }
    }

    /// Replaces polling by the WebSocket. False if the connection has ended meanwhile.
    pub(in crate::engine) fn finish_upgrade(self: &Arc<Self>, writer: WriteHalf) -> bool {
        let is_ending = {
            let mut output = self.output();
            let awaits_fetch = output.awaits_fetch();
            match output.transport() {
                Transport::Polling { poll, .. } => {
                    // The waiting poll wakes, finds the WebSocket, and ends.
                    if let PollState::Waiting(Some(waker)) = poll {
                        waker.wake_by_ref();
                    }
                    *output.transport() = Transport::WebSocket(writer);
                    false
                }
                // The connection has ended meanwhile, and the client no longer polls. So the WebSocket sends the last
                // packets.
                Transport::Closing(websocket) if awaits_fetch => {
                    *websocket = Some(writer);
                    output.replace_final_packets(&Frame::control(opcode::CLOSE, &[]));
                    true
                }
                _ => return false,
            }
        };
        if is_ending {
            self.host.remove(&self.sid);
        }
        self.flush();
        true
    }
}
