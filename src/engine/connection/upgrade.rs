//! How a polling connection moves to a WebSocket.

use std::sync::Arc;

use tokio::net::tcp::OwnedWriteHalf;

use super::Connection;
use crate::engine::{
    frame::Frame,
    output::{Request, Transport, Upgrade},
    websocket::opcode,
};

impl Connection {
    /// A WebSocket is tried, one at a time. False where there is one already, or nothing to upgrade.
    pub(in crate::engine) fn begin_upgrade(&self) -> bool {
        let mut output = self.output();
        let Transport::Polling { upgrade: upgrade @ Upgrade::No, .. } = output.transport() else { return false };
        *upgrade = Upgrade::Begun;
        true
    }

    /// A poll that waits is let go, so that the client can move.
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

    /// It came to nothing.
    pub(in crate::engine) fn abandon_upgrade(&self) {
        if let Transport::Polling { upgrade, .. } = self.output().transport() {
            *upgrade = Upgrade::No;
        }
    }

    /// From now on everything goes through the WebSocket. False where the connection was closed in the meantime.
    pub(in crate::engine) fn finish_upgrade(self: &Arc<Self>, writer: OwnedWriteHalf) -> bool {
        {
            let mut output = self.output();
            let awaits_fetch = output.awaits_fetch();
            match output.transport() {
                Transport::Polling { request, .. } => {
                    // It is told that this is over.
                    if let Request::Waiting(Some(waker)) = request {
                        waker.wake_by_ref();
                    }
                    *output.transport() = Transport::WebSocket(writer);
                }
                // It was told goodbye in the meantime, and has ceased to poll: it gets that here.
                Transport::Closing(way) if awaits_fetch => {
                    *way = Some(writer);
                    output.replace_farewell(&Frame::control(opcode::CLOSE, &[]));
                    self.engine.remove_connection(&self.sid);
                }
                _ => return false,
            }
        }
        self.flush();
        true
    }
}
