//! Builds the payload that answers a poll.

use std::task::{Context, Poll};

use super::Connection;
use crate::engine::{
    frame::Frame,
    output::{PollState, Transport},
    payload,
};

impl Connection {
    /// The payload that answers a poll. `Pending` while there is nothing to send, `None` if the connection was upgraded
    /// to a WebSocket meanwhile.
    pub(in crate::engine) fn poll_payload(&self, cx: &Context<'_>) -> Poll<Option<String>> {
        let most = self.shared.account.body_size(self.shared.settings.max_payload.get());
        let mut output = self.output();
        // If the connection was upgraded since the task was woken, the WebSocket sends the frames.
        let body = if output.is_polled() { output.payload(most) } else { None };
        let is_last = !output.awaits_fetch();
        let answer = match (body, output.transport()) {
            (Some(body), Transport::Closing(_)) if is_last => {
                output.close();
                drop(output);
                self.host.remove(&self.sid);
                Some(body)
            }
            (Some(body), transport) => {
                if let Transport::Polling { poll, .. } = transport {
                    *poll = PollState::None;
                }
                Some(body)
            }
            (None, Transport::Polling { poll, .. }) if !matches!(poll, PollState::Released) => {
                *poll = PollState::Waiting(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            (None, Transport::WebSocket(_)) => None,
            (None, transport) => {
                if let Transport::Polling { poll, .. } = transport {
                    *poll = PollState::None;
                }
                Some(self.payload_of(&self.shared.frames.noop))
            }
        };
        Poll::Ready(answer)
    }

    /// The payload that answers a poll of an ended connection: CLOSE alone.
    pub(in crate::engine) fn close_payload(&self) -> String {
        self.payload_of(&self.shared.frames.close)
    }

    fn payload_of(&self, frame: &Frame) -> String {
        let mut body = String::new();
        payload::append(&mut body, frame, self.protocol);
        body
    }
}
