//! Runs the catch-alls for a socket's outgoing events.

use std::{
    sync::Arc,
    task::{Context, Waker},
};

use futures_util::FutureExt;

use super::{app_socket::AppSocket, ctx::Ctx, handler_set::HandlerSet, listeners::Listeners};
use crate::protocol::Arguments;

/// Whether there are catch-alls for this socket's outgoing events.
pub(super) fn is_heard(socket: &AppSocket, handlers: &HandlerSet) -> bool {
    !handlers.any_outgoing.is_empty() || Listeners::of(socket).is_some_and(|own| !own.outgoing().is_empty())
}

/// Runs the catch-alls of the namespace, and then those of the socket, on the calling thread. When one has to wait,
/// they continue in a task.
pub(super) fn tell(socket: &Arc<AppSocket>, handlers: &HandlerSet, event: &Arc<str>, arguments: &Arguments) {
    let own = Listeners::of(socket).map(Listeners::outgoing);
    let listeners: Vec<_> = handlers.any_outgoing.iter().cloned().chain(own.into_iter().flatten()).collect();
    let (this, event, arguments) = (socket.clone(), event.clone(), arguments.clone());
    let mut telling = async move {
        for listener in listeners {
            let listener = async {
                listener(Ctx::new(this.clone()), event.clone(), arguments.clone()).await;
                Ok(())
            };
            this.run_unanswered(&event, listener).await;
        }
    }
    .boxed();
    if telling.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending() {
        socket.app.runtime.spawn(telling);
    }
}
