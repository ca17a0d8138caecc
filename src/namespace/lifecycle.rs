//! The jobs of a socket that belong to no event: it connects, goes away, comes back, disconnects.

use std::sync::{Arc, atomic::Ordering};

use futures_util::{FutureExt, future::BoxFuture};

use super::{app_socket::AppSocket, ctx::Ctx, registered::Registered};
use crate::engine::DisconnectReason;

/// The first job of a socket: runs the connection handlers.
pub(super) fn connected(socket: &Arc<AppSocket>, events: &Arc<Registered>) -> BoxFuture<'static, ()> {
    let (socket, events) = (socket.clone(), events.clone());
    async move {
        for handler in &events.connection {
            socket.run_unanswered("connection", async { handler(Ctx::new(socket.clone())).await }).await;
        }
    }
    .boxed()
}

/// Runs the `away` or the `back` handlers, where the client has gone or come back since handlers last ran. It may have
/// done both.
pub(super) fn moved(socket: &Arc<AppSocket>, events: &Arc<Registered>) -> BoxFuture<'static, ()> {
    let (socket, events) = (socket.clone(), events.clone());
    async move {
        let is_away = socket.inner.is_away();
        if socket.queue.is_closed() {
            // Where the socket was when it ended is for the last job.
            return;
        }
        let was_away = socket.is_away.swap(is_away, Ordering::Relaxed);
        let (what, handlers) = match (was_away, is_away) {
            (false, true) => ("away", &events.away),
            (true, false) => ("back", &events.back),
            _ => return,
        };
        match is_away {
            true => socket.app.metrics.connections.decrement(1),
            false => socket.app.metrics.connections.increment(1),
        }
        socket.log(what, None);
        for handler in handlers {
            socket.run_unanswered(what, async { handler(Ctx::new(socket.clone())).await }).await;
        }
    }
    .boxed()
}

/// The last job of a socket: runs the disconnect handlers, then removes the socket. While they run, the hub still knows
/// its rooms.
pub(super) fn disconnected(
    socket: &Arc<AppSocket>,
    events: &Arc<Registered>,
    reason: DisconnectReason,
) -> BoxFuture<'static, ()> {
    let (socket, events) = (socket.clone(), events.clone());
    async move {
        for handler in &events.disconnect {
            let handler = async {
                handler(Ctx::new(socket.clone()), reason).await;
                Ok(())
            };
            socket.run_unanswered("disconnect", handler).await;
        }
        socket.hub.detach(socket.id);
        socket.app.tokens.forget(socket.id);
        if !socket.is_away.load(Ordering::Relaxed) {
            socket.app.metrics.connections.decrement(1);
        }
        socket.app.metrics.disconnected(reason.as_str());
        socket.log("disconnected", Some(reason));
    }
    .boxed()
}
