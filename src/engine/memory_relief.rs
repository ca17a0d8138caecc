//! Memory relief: the task that frees memory held for clients when it becomes scarce. [`memory`](super::memory) says
//! when memory is scarce, and in which order it is freed.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use tokio::{task, time};

use super::{connection::Connection, handle::Engine, memory::MemoryKind, shared::Shared, socket::Socket};
use crate::allocator;

/// How long memory may stay scarce before connections are dropped, and the pause between two such steps.
const RELIEF_PAUSE: Duration = Duration::from_millis(500);
/// How often to check whether freed memory can be returned to the OS.
const TRIM_INTERVAL: Duration = Duration::from_secs(2);
/// Number of sockets or connections that are processed before the task yields.
const AT_A_TIME: usize = 64;

/// Frees memory whenever memory is scarce. Never returns.
pub(super) async fn relieve(engine: Arc<Engine>) {
    let account = &engine.shared.account;
    loop {
        account.needs_relief().await;
        free_logs(&engine).await;
        while account.is_scarce() {
            account.compare();
            let before = account.total();
            time::sleep(RELIEF_PAUSE).await;
            free_logs(&engine).await;
            // Connections usually free memory by themselves, since the server does not read from the largest ones
            // during the pause. If less than 1/64 was freed, that counts as no progress.
            if account.is_scarce() && account.total() >= before - before / 64 {
                drop_largest(&engine).await;
            }
        }
    }
}

/// Returns freed memory to the OS when much less is held than before. Never returns.
pub(super) async fn trim(shared: Arc<Shared>) {
    let mut interval = time::interval(TRIM_INTERVAL);
    interval.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if shared.account.should_trim()
            && let Err(error) = task::spawn_blocking(allocator::trim).await
        {
            tracing::error!(%error, "freed memory could not be returned to the OS");
        }
    }
}

/// Discards recovery logs until they are within their bound: ends sockets that are away, the oldest first, and then
/// clears the largest logs of connected sockets.
async fn free_logs(engine: &Engine) {
    let account = &engine.shared.account;
    let mut ended = 0;
    while account.are_away_excessive()
        && let Some(oldest) = engine.recoverable.oldest_away()
    {
        oldest.end_if_away();
        ended += 1;
        if ended % AT_A_TIME == 0 {
            task::yield_now().await;
        }
    }
    if !account.are_logs_excessive() {
        return;
    }
    let enough = account.held(MemoryKind::Logs) / 4 * 3;
    let sockets = engine.recoverable.all().into_iter();
    let mut logs: Vec<(usize, Arc<Socket>)> = sockets.map(|socket| (socket.log_bytes(), socket)).collect();
    logs.sort_by_key(|(bytes, _)| Reverse(*bytes));
    let mut cleared = 0;
    for (_, socket) in logs.iter().take_while(|(bytes, _)| *bytes > 0) {
        if account.held(MemoryKind::Logs) <= enough {
            break;
        }
        socket.clear_log();
        cleared += 1;
        if cleared % AT_A_TIME == 0 {
            task::yield_now().await;
        }
    }
    if cleared > 0 {
        tracing::warn!(sockets = cleared, "recovery logs of connected sockets were discarded: too much is held");
    }
}

/// Drops the largest eighth of the connections that hold more than an equal share.
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
