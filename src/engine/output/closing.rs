//! How an output is closed: at once, or after the last frames.

use std::sync::Arc;

use super::{
    Output,
    transport::{Request, Stream, Transport},
};
use crate::engine::frame::Frame;

impl<W: Stream> Output<W> {
    /// Appends the last frame, if there is one. No frame is accepted after it.
    pub(in crate::engine) fn push_last(&mut self, frame: Option<Arc<Frame>>) {
        if let Some(frame) = frame {
            self.queue.push(&frame, usize::MAX);
        }
        self.transport = match std::mem::replace(&mut self.transport, Transport::Closed) {
            Transport::WebSocket(writer) => Transport::Closing(Some(writer)),
            Transport::Polling { request, .. } => {
                if let Request::Waiting(Some(waker)) = request {
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
        if self.is_waited_for() && self.queue.is_empty() {
            return self.push_last(Some(close.clone()));
        }
        self.farewell = Some([noop.clone(), close.clone()]);
        self.push_last(None);
    }

    /// Ends a polling session at once, as Node does after an error of Engine.IO: a waiting poll is answered with CLOSE,
    /// and later requests find no session.
    pub(in crate::engine) fn break_polling(&mut self, close: &Arc<Frame>) {
        if self.is_waited_for() {
            self.queue.clear();
            return self.push_last(Some(close.clone()));
        }
        self.close();
    }

    fn is_waited_for(&self) -> bool {
        matches!(self.transport, Transport::Polling { request: Request::Waiting(_) | Request::Released, .. })
    }

    /// Whether NOOP and CLOSE have yet to be fetched.
    pub(in crate::engine) fn has_farewell(&self) -> bool {
        self.farewell.is_some()
    }

    /// Queues this frame in place of NOOP and CLOSE, if those have yet to be fetched.
    pub(in crate::engine) fn replace_farewell(&mut self, last: &Arc<Frame>) {
        if self.farewell.take().is_some() {
            self.queue.push(last, usize::MAX);
        }
    }

    /// Forgets what is unsent, except the rest of a frame that was written in part, and appends the last frame.
    pub(in crate::engine) fn cut_short(&mut self, last: Arc<Frame>) {
        self.queue.forget_whole_frames();
        self.push_last(Some(last));
    }

    /// Forgets everything. The reader and a waiting poll end.
    pub(in crate::engine) fn close(&mut self) {
        if let Transport::Polling { request: Request::Waiting(Some(waker)), .. } =
            std::mem::replace(&mut self.transport, Transport::Closed)
        {
            waker.wake();
        }
        self.queue.clear();
        self.farewell = None;
        self.wake_reader();
    }

    /// Sends a last frame and closes: at once if the kernel takes everything.
    pub(in crate::engine) fn hang_up(&mut self, frame: &Arc<Frame>) {
        self.queue.push(frame, usize::MAX);
        self.flush();
        if !self.queue.is_empty() {
            return self.push_last(None);
        }
        if let Transport::WebSocket(writer) = std::mem::replace(&mut self.transport, Transport::Closed) {
            // The whole TCP connection is closed now; this half needs no shutdown of its own.
            writer.forget();
        }
        self.wake_reader();
    }
}
