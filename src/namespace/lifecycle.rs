//! The jobs of a socket that belong to no event: connected, client away, client back, ended.

use std::sync::{Arc, atomic::Ordering};

use super::{
    app_socket::{AppSocket, Work},
    call::{Running, TurnEnd},
    ctx::Ctx,
    handler_set::{ConnectionHandler, DisconnectHandler, HandlerSet},
    listeners::Listeners,
};
use crate::engine::{ClientChange, DisconnectReason};

/// The first job of a socket: runs the connection handlers.
pub(super) fn connected(socket: &Arc<AppSocket>, handlers: &Arc<HandlerSet>) -> Work {
    job(socket, handlers, async move |socket, handlers, turn| {
        run(&socket, &turn, "connection", &handlers.begin).await;
        run(&socket, &turn, "connection", &handlers.connection).await;
        socket.is_settled.store(true, Ordering::Relaxed);
    })
}

/// Runs the handlers for the client's changes, in order.
pub(super) fn client_changed(socket: &Arc<AppSocket>, handlers: &Arc<HandlerSet>) -> Work {
    job(socket, handlers, async move |socket, handlers, turn| {
        for change in socket.inner.take_changes() {
            if socket.queue.is_closed() {
                // The socket has ended. Its last job runs the disconnect handlers.
                return;
            }
            match change {
                ClientChange::Away(reason) => went_away(&socket, &turn, &handlers, reason).await,
                ClientChange::Back => came_back(&socket, &turn, &handlers).await,
                ClientChange::Replaced => {
                    run_disconnect(&socket, &turn, &handlers.disconnect, DisconnectReason::TransportClose).await;
                    reconnect(&socket, &turn, &handlers).await;
                }
            }
        }
    })
}

async fn went_away(socket: &Arc<AppSocket>, turn: &Arc<TurnEnd>, handlers: &HandlerSet, reason: DisconnectReason) {
    socket.is_away.store(true, Ordering::Relaxed);
    socket.app.metrics.connections.decrement(1);
    socket.log("away", Some(reason));
    run_disconnect(socket, turn, &handlers.disconnect, reason).await;
    run(socket, turn, "away", &handlers.away).await;
}

async fn came_back(socket: &Arc<AppSocket>, turn: &Arc<TurnEnd>, handlers: &HandlerSet) {
    socket.is_away.store(false, Ordering::Relaxed);
    socket.app.metrics.connections.increment(1);
    socket.log("back", None);
    reconnect(socket, turn, handlers).await;
    run(socket, turn, "back", &handlers.back).await;
}

/// Runs the connection handlers of a client that has recovered its socket. They add the socket's listeners again.
async fn reconnect(socket: &Arc<AppSocket>, turn: &Arc<TurnEnd>, handlers: &HandlerSet) {
    socket.is_recovered.store(true, Ordering::Relaxed);
    clear_listeners(socket);
    run(socket, turn, "connection", &handlers.connection).await;
    // False until now if an earlier process ran them first.
    socket.is_settled.store(true, Ordering::Relaxed);
}

/// The last job of a socket: runs the last handlers, then removes the socket. While they run, the hub still knows the
/// socket's rooms.
pub(super) fn ended(socket: &Arc<AppSocket>, handlers: &Arc<HandlerSet>, reason: DisconnectReason) -> Work {
    job(socket, handlers, async move |socket, handlers, turn| {
        let was_away = socket.is_away.load(Ordering::Relaxed);
        if !was_away {
            run_disconnect(&socket, &turn, &handlers.disconnect, reason).await;
        }
        run_disconnect(&socket, &turn, &handlers.ended, reason).await;
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

/// A job that runs handlers for a change of the socket. If one of them waits for its client's answer, the client's events
/// begin; the next change waits.
fn job<Fut: Future<Output = ()> + Send>(
    socket: &Arc<AppSocket>,
    handlers: &Arc<HandlerSet>,
    work: impl FnOnce(Arc<AppSocket>, Arc<HandlerSet>, Arc<TurnEnd>) -> Fut + Send + 'static,
) -> Work {
    let (socket, handlers, turn) = (socket.clone(), handlers.clone(), Arc::<TurnEnd>::default());
    Work::with_turn(Running::Change(turn.clone()), async move {
        let _alone = socket.lifecycle.lock().await;
        work(socket.clone(), handlers, turn).await;
    })
}

async fn run(socket: &Arc<AppSocket>, turn: &Arc<TurnEnd>, what: &str, handlers: &[ConnectionHandler]) {
    for handler in handlers {
        socket.run_unanswered(what, async { handler(Ctx::of_change(socket.clone(), turn.clone())).await }).await;
    }
}

async fn run_disconnect(
    socket: &Arc<AppSocket>,
    turn: &Arc<TurnEnd>,
    handlers: &[DisconnectHandler],
    reason: DisconnectReason,
) {
    for handler in handlers {
        socket
            .run_unanswered("disconnect", async { handler(Ctx::of_change(socket.clone(), turn.clone()), reason).await })
            .await;
    }
}

fn clear_listeners(socket: &AppSocket) {
    if let Some(listeners) = Listeners::of(socket) {
        listeners.clear();
    }
}
