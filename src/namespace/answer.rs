//! Runs the handlers of a socket's events and answers the events, each once.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;

use super::{
    app_socket::{AppSocket, Job},
    call::{Call, Outcome},
};
use crate::{
    error::{Error, Result},
    hub::To,
    protocol::{ClientEvent, EventError, IntoReply, RefreshToken, acknowledgement},
    tellings::Tellings,
};

impl AppSocket {
    /// A job that runs a handler and answers with its result.
    pub(super) fn handling<R: IntoReply>(
        self: &Arc<Self>,
        call: Call,
        handler: impl Future<Output = Result<R>> + Send + 'static,
    ) -> Job {
        let socket = self.clone();
        let work = async move {
            // The reply is written by code of the application too, which may panic.
            let outcome = AssertUnwindSafe(async { acknowledgement(handler.await) }).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| acknowledgement::<()>(Err(call.panicked())));
            socket.answer(call, outcome, None);
        };
        Job::Alone(work.boxed())
    }

    /// A job that answers with an error.
    pub(super) fn refusing(self: &Arc<Self>, call: Call, error: Error) -> Job {
        let socket = self.clone();
        let work = async move { socket.answer(call, acknowledgement::<()>(Err(error)), None) };
        Job::Alone(work.boxed())
    }

    /// Answers an event and frees its place in the queue: together with the rest of a commit, or at once where
    /// `tellings` is `None`.
    pub(super) fn answer(&self, call: Call, outcome: Outcome, tellings: Option<&mut Tellings>) {
        self.queue.leave();
        self.send_answer(call, outcome, tellings);
    }

    /// Acknowledges the event. Where no acknowledgement was asked for, an error is sent as an event.
    pub(super) fn send_answer(&self, call: Call, (arguments, error): Outcome, tellings: Option<&mut Tellings>) {
        // The charge is given back when the answer is in the client's queue.
        let Call { name, metrics, arrived, origin } = call;
        metrics.handler_seconds.record(arrived.elapsed());
        match &error {
            None => metrics.done.increment(1),
            Some(error) => {
                metrics.failed[error.code() as usize].increment(1);
                self.log_error(&name, error, origin.id.is_some());
            }
        }
        match (origin.id, error, tellings) {
            (Some(id), _, Some(tellings)) => self.hub.acknowledge_with(tellings, &self.inner, id, arguments),
            (Some(id), _, None) => self.hub.acknowledge(&self.inner, id, arguments),
            (None, Some(error), Some(tellings)) => {
                self.hub.tell_with(tellings, To::Socket(self.id), &EventError::new(&name, &error));
            }
            (None, Some(error), None) => self.hub.tell(To::Socket(self.id), &EventError::new(&name, &error)),
            (None, None, _) => {}
        }
    }

    /// Runs a handler that has no event to answer. Its error is logged.
    pub(super) async fn run_unanswered(&self, what: &str, handler: impl Future<Output = Result<()>> + Send) {
        let result = AssertUnwindSafe(handler).catch_unwind().await;
        let panicked = |_| Err(Error::internal("the server failed", "the handler panicked"));
        if let Err(error) = result.unwrap_or_else(panicked) {
            self.log_error(what, &error, true);
        }
    }

    /// Logs a handler's error; nothing else does. A client's own mistakes must not fill the log. `has_ack`: whether the
    /// client learns of the error by an acknowledgement, or need not learn of it.
    fn log_error(&self, event: &str, error: &Error, has_ack: bool) {
        let code = error.code();
        match error {
            Error::Unavailable(_, Some(source)) => {
                tracing::error!(socket = %self.id, event, %error, source, "an event failed");
            }
            _ if event == RefreshToken::NAME && self.app.refusal_lines.check().is_ok() => {
                tracing::info!(socket = %self.id, user = %self.user_id(), %code, %error, "token refused");
            }
            // The client may have no listener for the event that reports the error.
            _ if !has_ack && self.is_first_refusal(code) => {
                tracing::info!(socket = %self.id, event, %code, %error, "an event was refused");
            }
            _ => tracing::debug!(socket = %self.id, event, %code, %error, "an event was refused"),
        }
    }
}
