//! Memory relief: the task that frees memory held for clients when it becomes scarce. [`memory`](super::memory) says
//! when memory is scarce, and in which order it is freed.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use tokio::{task, time};

use super::{connection::Connection, handle::Engine, memory::Kind, shared::Shared, socket::Socket};
use crate::allocator;

/// How long memory may stay scarce before connections are dropped, and the pause between two such steps.
const RELIEF_PAUSE: Duration = Duration::from_millis(500);
/// How often to check whether freed memory can be returned to the system.
const TRIM_INTERVAL: Duration = Duration::from_secs(2);
/// How many sockets or connections to process before other tasks have a turn.
const AT_A_TIME: usize = 64;

/// Frees memory whenever it is scarce; runs for ever.
pub(super) async fn relieve(engine: Arc<Engine>) {
    let account = &engine.shared.account;
    loop {
        account.needs_relief().await;
        give_up_logs(&engine).await;
        while account.is_scarce() {
            account.compare();
            let before = account.total();
            time::sleep(RELIEF_PAUSE).await;
            give_up_logs(&engine).await;
            // Busy connections drain by themselves, since the largest are not read from meanwhile. Less than 1/64
            // freed is no progress.
            if account.is_scarce() && account.total() >= before - before / 64 {
                drop_largest(&engine).await;
            }
        }
    }
}

/// Returns freed memory to the system when much less is held than before; runs for ever.
pub(super) async fn trim(shared: Arc<Shared>) {
    let mut interval = time::interval(TRIM_INTERVAL);
    interval.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if shared.account.should_trim()
            && let Err(error) = task::spawn_blocking(allocator::trim).await
        {
            tracing::error!(%error, "memory could not be given back to the system");
        }
    }
}

/// Gives up recovery logs until they are within their bounds: those of sockets that are away, together with the
/// sockets, and then the largest of connected sockets.
async fn give_up_logs(engine: &Engine) {
    let account = &engine.shared.account;
    let mut given_up = 0;
    while account.are_away_excessive()
        && let Some(oldest) = engine.away.oldest()
    {
        oldest.give_up();
        given_up += 1;
        if given_up % AT_A_TIME == 0 {
            task::yield_now().await;
        }
    }
    if !account.are_logs_excessive() {
        return;
    }
    let enough = account.held(Kind::Logs) / 4 * 3;
    let sockets = engine.away.all_recoverable().into_iter();
    let mut logs: Vec<(usize, Arc<Socket>)> = sockets.map(|socket| (socket.log_bytes(), socket)).collect();
    logs.sort_by_key(|(bytes, _)| Reverse(*bytes));
    let mut given_up = 0;
    for (_, socket) in logs.iter().take_while(|(bytes, _)| *bytes > 0) {
        if account.held(Kind::Logs) <= enough {
            break;
        }
        socket.give_up_log();
        given_up += 1;
        if given_up % AT_A_TIME == 0 {
            task::yield_now().await;
        }
    }
    if given_up > 0 {
        tracing::warn!(sockets = given_up, "recovery logs of connected sockets were given up: too much is held");
    }
}

/// Drops an eighth of the connections that hold more than an equal share: the largest.
async fn drop_largest(engine: &Engine) {
    let share = engine.shared.account.equal_share();
    let connections = engine.connections.all().into_iter();
    let mut large: Vec<(usize, Arc<Connection>)> =
        connections.map(|connection| (connection.held(), connection)).collect();
    large.retain(|(bytes, _)| *bytes > share);
    large.sort_by_key(|(bytes, _)| Reverse(*bytes));
    large.truncate(large.len().div_ceil(8));
    if large.is_empty() {
        return;
    }
    tracing::warn!(connections = large.len(), share, "connections are dropped: limits.memory is used up");
    for (index, (_, connection)) in large.iter().enumerate() {
        engine.shared.metrics.limited("memory");
        connection.drop_slow();
        if index % AT_A_TIME == AT_A_TIME - 1 {
            task::yield_now().await;
        }
    }
}
