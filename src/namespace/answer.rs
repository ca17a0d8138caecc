//! Runs the handlers of a socket's events, and answers each event once.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;

use super::{
    app_socket::{AppSocket, Job, Work},
    call::{Call, Outcome, Running, RunningEvent, panicked},
    ctx::Ctx,
};
use crate::{
    error::{Code, Error, Result},
    hub::To,
    protocol::{ClientEvent, EventError, IntoReply, RefreshToken},
    tellings::Tellings,
};

impl AppSocket {
    /// A job that runs a handler and answers with its result.
    pub(super) fn handler_job<Fut, R>(
        self: &Arc<Self>,
        call: Call,
        handler: impl FnOnce(Ctx) -> Fut + Send + 'static,
    ) -> Job
    where
        Fut: Future<Output = R> + Send,
        R: IntoReply,
    {
        let (socket, event) = (self.clone(), RunningEvent::new(call));
        let (ctx, form) = (Ctx::of_event(self.clone(), event.clone()), self.form());
        let running = event.clone();
        // The handler is called inside the future: it must not run any code before the job's turn.
        let work = async move {
            // `acknowledgement` also runs code of the application (`Serialize`), which may panic.
            let outcome = AssertUnwindSafe(async { form.acknowledgement(handler(ctx).await) }).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| form.failure(panicked(&event.name)));
            if let Some(call) = event.take() {
                socket.answer(call, outcome, None);
            }
        };
        Job::Alone(Work::with_turn(Running::Event(running), work))
    }

    /// A job that answers with an error.
    pub(super) fn refusal_job(self: &Arc<Self>, call: Call, error: Error) -> Job {
        let socket = self.clone();
        Job::Alone(Work::new(async move { socket.answer(call, socket.form().failure(error), None) }))
    }

    /// Answers an event and removes it from the queue's count. The answer is sent together with the rest of a commit,
    /// or at once if `tellings` is `None`.
    pub(super) fn answer(&self, call: Call, outcome: Outcome, tellings: Option<&mut Tellings>) {
        self.queue.leave();
        self.send_answer(call, outcome, tellings);
    }

    /// Leaves an event without an answer.
    pub(super) fn ignore(&self, call: Call, is_unknown: bool) {
        self.queue.leave();
        call.metrics.handler_seconds.record(call.arrived.elapsed());
        match is_unknown {
            true => call.metrics.failed[Code::UnknownEvent as usize].increment(1),
            false => call.metrics.done.increment(1),
        }
    }

    /// Acknowledges the event. If the client requested no acknowledgement, an error is sent as an event instead.
    pub(super) fn send_answer(&self, call: Call, (arguments, error): Outcome, tellings: Option<&mut Tellings>) {
        // The memory charge is dropped with `receipt`, after the answer is queued.
        let Call { name, metrics, arrived, receipt } = call;
        metrics.handler_seconds.record(arrived.elapsed());
        match &error {
            None => metrics.done.increment(1),
            Some(error) => {
                metrics.failed[error.code() as usize].increment(1);
                self.log_error(&name, error, receipt.id.is_some());
            }
        }
        match (receipt.id, error, tellings) {
            (Some(id), _, Some(tellings)) => self.hub.acknowledge_with(tellings, &self.inner, id, arguments),
            (Some(id), _, None) => self.hub.acknowledge(&self.inner, id, arguments),
            // A bare server emits no events of its own, so it reports no error.
            (None, Some(_), _) if self.app.is_bare() => {}
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

    /// Logs a handler's error. No other code does. Errors that a client causes must not fill the log, so most of them
    /// are logged at debug level. `has_ack` is false if the client gets the error only as an event.
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
