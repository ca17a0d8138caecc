//! Events whose listeners are looked up only when the event's job runs: the events of sockets with listeners of their
//! own, and of namespaces with catch-alls or event middleware.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;

use super::{
    app_socket::{AppSocket, Job, Work},
    call::{Call, Receipt, Running, RunningEvent, panicked},
    ctx::Ctx,
    handler_set::{HandlerSet, KnownEvent},
    listeners::{Listener, Listeners},
    relay,
};
use crate::{
    error::{Error, Result},
    protocol::{Args, Arguments},
};

/// The job of an event: it runs the catch-alls, the middleware, the socket's listeners, and then the namespace's
/// handler or the relay, as Node does. The namespace's handler acknowledges the event. Without one, the first listener
/// that returns does.
pub(super) fn job(
    socket: &Arc<AppSocket>,
    handlers: &Arc<HandlerSet>,
    call: Call,
    json: &str,
    arguments: Arguments,
) -> Job {
    let is_relayed = handlers.relays.contains_key(&call.name);
    let event = Event {
        socket: socket.clone(),
        handlers: handlers.clone(),
        running: RunningEvent::new(call),
        relayed: is_relayed.then(|| json.to_owned()),
        arguments,
    };
    let running = event.running.clone();
    Job::Alone(Work::with_turn(Running::Event(running), event.run()))
}

struct Event {
    socket: Arc<AppSocket>,
    handlers: Arc<HandlerSet>,
    running: Arc<RunningEvent>,
    /// The JSON as received of an event with a relay, which emits it unchanged.
    relayed: Option<String>,
    arguments: Arguments,
}

impl Event {
    async fn run(self) {
        let (name, own) = (&self.running.name, Listeners::of(&self.socket));
        let any: Vec<_> =
            self.handlers.any.iter().cloned().chain(own.map(Listeners::any).into_iter().flatten()).collect();
        for listener in &any {
            let listener = async {
                listener(self.ctx(), name.clone(), self.arguments.clone()).await;
                Ok(())
            };
            self.socket.run_unanswered(name, listener).await;
        }
        if let Err(error) = self.caught(self.pass()).await {
            return self.answer(self.socket.form().failure(error));
        }
        // Taken before the listeners run: the namespace's handler runs too, and acknowledges.
        let known = self.handlers.events.get(name).map(|known| (known, self.call_of(known)));
        let listeners = own.map_or_else(Vec::new, |own| own.take(name));
        for listener in &listeners {
            let reply = self.caught(self.listen(listener)).await;
            let form = self.socket.form();
            self.answer(reply.map_or_else(|error| form.failure(error), |arguments| (arguments, None)));
        }
        if let Some((known, call)) = known {
            let job = self.with_args(|args| (known.handler)(&self.socket, call, args));
            self.socket.queue.push_next(self.handlers.in_turn(job));
            // If this event was released, no other caller works on the queue.
            self.socket.run();
        } else if let Some(json) = &self.relayed {
            let (socket, name) = (self.socket.clone(), name.clone());
            let relayed = relay::emit(&socket, &name, json.clone(), self.arguments.attachments().to_vec());
            self.answer(socket.form().acknowledgement(relayed));
        } else if listeners.is_empty() {
            self.without_listener(any.is_empty());
        }
    }

    /// The call of the namespace's handler. If a catch-all has taken the acknowledgement, the handler runs too, as in
    /// Node, and acknowledges nothing.
    fn call_of(&self, known: &KnownEvent) -> Call {
        self.running.take().unwrap_or_else(|| {
            self.socket.queue.enter_again();
            Call::new(self.running.name.clone(), &known.metrics, Receipt { id: None, charge: None })
        })
    }

    /// Ends an event that has no listener. A bare server sends no error, as in Node.
    fn without_listener(&self, is_unknown: bool) {
        let Some(call) = self.running.take() else { return };
        if self.socket.app.is_bare() {
            self.socket.ignore(call, is_unknown);
        } else {
            let error = Error::UnknownEvent(call.name.to_string());
            self.socket.answer(call, self.socket.form().failure(error), None);
        }
    }

    /// Runs the event middleware of the namespace, then that of the socket.
    async fn pass(&self) -> Result<()> {
        let own = Listeners::of(&self.socket).map(Listeners::middleware);
        for middleware in self.handlers.event_middleware.iter().cloned().chain(own.into_iter().flatten()) {
            middleware(self.ctx(), self.running.name.clone(), self.arguments.clone()).await?;
        }
        Ok(())
    }

    async fn listen(&self, listener: &Listener) -> Result<Arguments> {
        let name = &self.running.name;
        let reply = self.with_args(|args| listener(self.ctx(), args)).map_err(|error| error.of_event(name))?;
        reply.await
    }

    fn with_args<T>(&self, read: impl FnOnce(&Args<'_>) -> T) -> T {
        let list = serde_json::from_str(self.arguments.json()).expect("it was read as an array");
        read(&Args::new(list, self.arguments.attachments()))
    }

    async fn caught<T>(&self, run: impl Future<Output = Result<T>>) -> Result<T> {
        AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|_| Err(panicked(&self.running.name)))
    }

    fn ctx(&self) -> Ctx {
        Ctx::of_event(self.socket.clone(), self.running.clone())
    }

    fn answer(&self, outcome: super::call::Outcome) {
        if let Some(call) = self.running.take() {
            self.socket.answer(call, outcome, None);
        }
    }
}
