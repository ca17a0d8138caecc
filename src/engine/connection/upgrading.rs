//! The transport of a connection, and its upgrade from polling to a WebSocket.

use std::sync::Arc;

use tokio::net::tcp::OwnedWriteHalf;

use super::Connection;
use crate::engine::{
    frame::Frame,
    output::{Request, Transport, TransportName, Upgrade},
    websocket::opcode,
};

impl Connection {
    /// The transport that its frames leave through now.
    pub(in crate::engine) fn transport_name(&self) -> TransportName {
        if self.output().is_websocket() { TransportName::WebSocket } else { TransportName::Polling }
    }

    /// A WebSocket is being tried. False where another one is being tried already, or it does not poll.
    pub(in crate::engine) fn begin_upgrade(&self) -> bool {
        let mut output = self.output();
        let Transport::Polling { upgrade: upgrade @ Upgrade::No, .. } = output.transport() else { return false };
        *upgrade = Upgrade::Begun;
        true
    }

    /// Has a waiting poll answered, so that the client can go on with the upgrade.
    pub(in crate::engine) fn release_poll(&self) {
        if let Transport::Polling { request, .. } = self.output().transport()
            && let Request::Waiting(waker) = request
        {
            let waker = waker.take();
            *request = Request::Released;
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// The upgrade has failed: the client goes on polling.
    pub(in crate::engine) fn abandon_upgrade(&self) {
        if let Transport::Polling { upgrade, .. } = self.output().transport() {
            *upgrade = Upgrade::No;
        }
    }

    /// From now on everything leaves through the WebSocket. False where the connection has ended meanwhile.
    pub(in crate::engine) fn finish_upgrade(self: &Arc<Self>, writer: OwnedWriteHalf) -> bool {
        let is_ending = {
            let mut output = self.output();
            let awaits_fetch = output.awaits_fetch();
            match output.transport() {
                Transport::Polling { request, .. } => {
                    // A waiting poll is answered that there is no more to poll.
                    if let Request::Waiting(Some(waker)) = request {
                        waker.wake_by_ref();
                    }
                    *output.transport() = Transport::WebSocket(writer);
                    false
                }
                // It has ended meanwhile, and its client polls no more: the last packets leave through the WebSocket.
                Transport::Closing(way) if awaits_fetch => {
                    *way = Some(writer);
                    output.replace_farewell(&Frame::control(opcode::CLOSE, &[]));
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
