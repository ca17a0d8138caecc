//! Relief: what the engine takes back from clients where too much is held for them. `pressure` says when, and in which
//! order.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use tokio::{task, time};

use super::{
    Engine,
    connection::Connection,
    pressure::{Kind, RELIEF_PAUSE},
    socket::Socket,
};
use crate::allocator;

/// How often it is looked whether memory can be given back to the system.
const TRIM_INTERVAL: Duration = Duration::from_secs(2);
/// Sockets or connections that are given up before others have a turn.
const AT_A_TIME: usize = 64;

impl Engine {
    /// Gives relief whenever it is needed; runs for ever.
    pub(super) async fn relieve(&self) {
        loop {
            self.account.needs_relief().await;
            self.give_up_logs().await;
            while self.account.is_scarce() {
                self.account.compare();
                let before = self.account.total();
                time::sleep(RELIEF_PAUSE).await;
                self.give_up_logs().await;
                // Busy connections drain by themselves, since the largest are not read from meanwhile. Less than 1/64
                // freed is no progress.
                if self.account.is_scarce() && self.account.total() >= before - before / 64 {
                    self.drop_largest().await;
                }
            }
        }
    }

    /// Gives memory back to the system when much less is held than before; runs for ever.
    pub(super) async fn give_back(&self) {
        let mut interval = time::interval(TRIM_INTERVAL);
        interval.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if self.account.should_trim()
                && let Err(error) = task::spawn_blocking(allocator::trim).await
            {
                tracing::error!(%error, "memory could not be given back to the system");
            }
        }
    }

    /// Recovery logs, until they are no longer too much: those of sockets that are away, then those of others.
    async fn give_up_logs(&self) {
        let mut given_up = 0;
        while self.account.are_away_excessive()
            && let Some(oldest) = self.away.oldest()
        {
            oldest.give_up();
            given_up += 1;
            if given_up % AT_A_TIME == 0 {
                task::yield_now().await;
            }
        }
        if !self.account.are_logs_excessive() {
            return;
        }
        let enough = self.account.held(Kind::Logs) / 4 * 3;
        let connections = self.all_connections();
        let mut sockets: Vec<(usize, Arc<Socket>)> = Vec::new();
        for connection in connections {
            sockets.extend(connection.sockets().into_iter().map(|socket| (socket.log_bytes(), socket)));
        }
        sockets.sort_by_key(|(bytes, _)| Reverse(*bytes));
        let mut given_up = 0;
        for (_, socket) in sockets.iter().take_while(|(bytes, _)| *bytes > 0) {
            if self.account.held(Kind::Logs) <= enough {
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

    /// Of the connections that hold more than an equal share, an eighth.
    async fn drop_largest(&self) {
        let share = self.account.equal_share();
        let connections = self.all_connections();
        let mut large: Vec<(usize, Arc<Connection>)> =
            connections.into_iter().map(|connection| (connection.held(), connection)).collect();
        large.retain(|(bytes, _)| *bytes > share);
        large.sort_by_key(|(bytes, _)| Reverse(*bytes));
        large.truncate(large.len().div_ceil(8));
        if large.is_empty() {
            return;
        }
        tracing::warn!(connections = large.len(), share, "connections are dropped: limits.memory is used up");
        for (index, (_, connection)) in large.iter().enumerate() {
            self.metrics.limited("memory");
            connection.drop_greedy();
            if index % AT_A_TIME == AT_A_TIME - 1 {
                task::yield_now().await;
            }
        }
    }
}
