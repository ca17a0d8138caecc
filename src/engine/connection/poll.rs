//! What a poll is answered with.

use std::task::{Context, Poll};

use super::Connection;
use crate::engine::{
    frame::Frame,
    output::{Request, Transport},
    payload,
};

impl Connection {
    /// What a polling request is answered with; `Pending` where there is nothing yet, `None` where the connection has become a
    /// WebSocket in the meantime.
    pub(in crate::engine) fn poll_payload(&self, cx: &Context<'_>) -> Poll<Option<String>> {
        let most = self.engine.account.body_size(self.engine.settings.max_payload.get());
        let mut output = self.output();
        // While it was woken it may have become a WebSocket, whose frames are none of its business.
        let body = if output.is_polled() { output.payload(most) } else { None };
        let is_last = !output.awaits_fetch();
        let answer = match (body, output.transport()) {
            (Some(body), transport) => {
                match transport {
                    Transport::Polling { request, .. } => *request = Request::None,
                    Transport::Closing(_) if is_last => {
                        output.close();
                        self.engine.remove_connection(&self.sid);
                    }
                    _ => {}
                }
                Some(body)
            }
            (None, Transport::Polling { request, .. }) if !matches!(request, Request::Released) => {
                *request = Request::Waiting(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            (None, Transport::WebSocket(_)) => None,
            (None, transport) => {
                if let Transport::Polling { request, .. } = transport {
                    *request = Request::None;
                }
                Some(self.payload_of(&self.engine.noop))
            }
        };
        Poll::Ready(answer)
    }

    /// What a polling request is answered with that hears only that there is no more to poll.
    pub(in crate::engine) fn close_payload(&self) -> String {
        self.payload_of(&self.engine.close)
    }

    fn payload_of(&self, frame: &Frame) -> String {
        let mut body = String::new();
        payload::append(&mut body, frame, self.protocol);
        body
    }
}
