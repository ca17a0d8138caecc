//! The jobs of a socket that belong to no event: connected, client away, client back, ended.

use std::sync::{Arc, atomic::Ordering};

use super::{
    app_socket::{AppSocket, Work},
    ctx::Ctx,
    handler_set::{ConnectionHandler, DisconnectHandler, HandlerSet},
    listeners::Listeners,
};
use crate::engine::{ClientChange, DisconnectReason};

/// The first job of a socket: runs the connection handlers.
pub(super) fn connected(socket: &Arc<AppSocket>, handlers: &Arc<HandlerSet>) -> Work {
    let (socket, handlers) = (socket.clone(), handlers.clone());
    Work::new(async move {
        run(&socket, "connection", &handlers.begin).await;
        run(&socket, "connection", &handlers.connection).await;
        socket.is_settled.store(true, Ordering::Relaxed);
    })
}

/// Runs the handlers for the client's changes, in order.
pub(super) fn client_changed(socket: &Arc<AppSocket>, handlers: &Arc<HandlerSet>) -> Work {
    let (socket, handlers) = (socket.clone(), handlers.clone());
    Work::new(async move {
        for change in socket.inner.take_changes() {
            if socket.queue.is_closed() {
                // The socket has ended. Its last job runs the disconnect handlers.
                return;
            }
            match change {
                ClientChange::Away(reason) => went_away(&socket, &handlers, reason).await,
                ClientChange::Back => came_back(&socket, &handlers).await,
                ClientChange::Replaced => {
                    run_disconnect(&socket, &handlers.disconnect, DisconnectReason::TransportClose).await;
                    reconnect(&socket, &handlers).await;
                }
            }
        }
    })
}

async fn went_away(socket: &Arc<AppSocket>, handlers: &HandlerSet, reason: DisconnectReason) {
    socket.is_away.store(true, Ordering::Relaxed);
    socket.app.metrics.connections.decrement(1);
    socket.log("away", Some(reason));
    run_disconnect(socket, &handlers.disconnect, reason).await;
    run(socket, "away", &handlers.away).await;
}

async fn came_back(socket: &Arc<AppSocket>, handlers: &HandlerSet) {
    socket.is_away.store(false, Ordering::Relaxed);
    socket.app.metrics.connections.increment(1);
    socket.log("back", None);
    reconnect(socket, handlers).await;
    run(socket, "back", &handlers.back).await;
}

/// Runs the connection handlers of a client that has recovered its socket. They add the socket's listeners again.
async fn reconnect(socket: &Arc<AppSocket>, handlers: &HandlerSet) {
    socket.is_recovered.store(true, Ordering::Relaxed);
    clear_listeners(socket);
    run(socket, "connection", &handlers.connection).await;
}

/// The last job of a socket: runs the last handlers, then removes the socket. While they run, the hub still knows the
/// socket's rooms.
pub(super) fn ended(socket: &Arc<AppSocket>, handlers: &Arc<HandlerSet>, reason: DisconnectReason) -> Work {
    let (socket, handlers) = (socket.clone(), handlers.clone());
    Work::new(async move {
        let was_away = socket.is_away.load(Ordering::Relaxed);
        if !was_away {
            run_disconnect(&socket, &handlers.disconnect, reason).await;
        }
        run_disconnect(&socket, &handlers.ended, reason).await;
        socket.hub.detach(socket.id);
        socket.app.tokens.unwatch(socket.id);
        if !was_away {
            socket.app.metrics.connections.decrement(1);
        }
        socket.app.metrics.disconnected(reason.as_str());
        socket.log("disconnected", Some(reason));
        // Listeners may hold the socket, which holds them: a reference cycle.
        clear_listeners(&socket);
    })
}

async fn run(socket: &Arc<AppSocket>, what: &str, handlers: &[ConnectionHandler]) {
    for handler in handlers {
        socket.run_unanswered(what, async { handler(Ctx::new(socket.clone())).await }).await;
    }
}

async fn run_disconnect(socket: &Arc<AppSocket>, handlers: &[DisconnectHandler], reason: DisconnectReason) {
    for handler in handlers {
        socket.run_unanswered("disconnect", async { handler(Ctx::new(socket.clone()), reason).await }).await;
    }
}

fn clear_listeners(socket: &AppSocket) {
    if let Some(listeners) = Listeners::of(socket) {
        listeners.clear();
    }
}
