//! Closes an output: at once, or after the last frames.

use std::sync::Arc;

use super::{
    Output,
    transport::{PollState, Transport},
};
use crate::engine::{frame::Frame, stream::Writer};

impl<W: Writer> Output<W> {
    /// Appends the last frame, if there is one, and accepts no more frames.
    pub(in crate::engine) fn push_last(&mut self, frame: Option<Arc<Frame>>) {
        if let Some(frame) = frame {
            self.queue.push(&frame, usize::MAX);
        }
        self.transport = match std::mem::replace(&mut self.transport, Transport::Closed) {
            Transport::WebSocket(writer) => Transport::Closing(Some(writer)),
            Transport::Polling { poll, .. } => {
                if let PollState::Waiting(Some(waker)) = poll {
                    waker.wake();
                }
                Transport::Closing(None)
            }
            other => other,
        };
    }

    /// Closes a polling session as Node does. A waiting poll is answered with CLOSE if the queue is empty. Otherwise
    /// the next poll fetches the queue, and the one after it gets NOOP and CLOSE.
    pub(in crate::engine) fn close_polling(&mut self, noop: &Arc<Frame>, close: &Arc<Frame>) {
        if self.has_waiting_poll() && self.queue.is_empty() {
            return self.push_last(Some(close.clone()));
        }
        self.final_packets = Some([noop.clone(), close.clone()]);
        self.push_last(None);
    }

    /// Ends a polling session at once, as Node does after an error of Engine.IO. A waiting poll is answered with CLOSE,
    /// and later requests find no session.
    pub(in crate::engine) fn abort_polling(&mut self, close: &Arc<Frame>) {
        if self.has_waiting_poll() {
            self.queue.clear();
            return self.push_last(Some(close.clone()));
        }
        self.close();
    }

    fn has_waiting_poll(&self) -> bool {
        matches!(self.transport, Transport::Polling { poll: PollState::Waiting(_) | PollState::Released, .. })
    }

    /// Whether the client has not fetched the NOOP and CLOSE of [`Self::close_polling`] yet.
    pub(in crate::engine) fn has_final_packets(&self) -> bool {
        self.final_packets.is_some()
    }

    /// Queues `last` instead of NOOP and CLOSE, if [`Self::has_final_packets`] returns true.
    pub(in crate::engine) fn replace_final_packets(&mut self, last: &Arc<Frame>) {
        if self.final_packets.take().is_some() {
            self.queue.push(last, usize::MAX);
        }
    }

    /// Discards unsent frames, except the rest of a partly written one, and appends the last frame.
    pub(in crate::engine) fn discard_and_close_with(&mut self, last: Arc<Frame>) {
        self.queue.remove_unstarted();
        self.push_last(Some(last));
    }

    /// Discards all unsent frames and closes. Wakes the reader and a waiting poll, which then end.
    pub(in crate::engine) fn close(&mut self) {
        if let Transport::Polling { poll: PollState::Waiting(Some(waker)), .. } =
            std::mem::replace(&mut self.transport, Transport::Closed)
        {
            waker.wake();
        }
        self.queue.clear();
        self.final_packets = None;
        self.wake_reader();
    }

    /// Sends a last frame and closes: at once if the kernel accepts all bytes, otherwise when they are written.
    pub(in crate::engine) fn close_with(&mut self, frame: &Arc<Frame>) {
        self.queue.push(frame, usize::MAX);
        self.flush();
        if !self.queue.is_empty() {
            return self.push_last(None);
        }
        if let Transport::WebSocket(writer) = std::mem::replace(&mut self.transport, Transport::Closed) {
            // The reader drops the other half next, which closes the TCP connection. A shutdown would be one more
            // system call.
            writer.drop_without_shutdown();
        }
        self.wake_reader();
    }
}
