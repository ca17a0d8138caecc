//! The end of all connections, when the server shuts down.

use std::time::{Duration, Instant};

use super::{handle::Engine, reason::DisconnectReason};

/// Maximal batches per second in which connections are ended.
const BATCHES_PER_SECOND: f64 = 20.0;
/// How long polling clients may take to fetch their last packets.
const LAST_FETCHES: Duration = Duration::from_secs(1);
/// How often to check whether all clients have gone.
const CHECK: Duration = Duration::from_millis(20);

impl Engine {
    /// Ends all connections, in batches over this time, so that their clients do not all reconnect at once. Returns
    /// sooner when all have gone by themselves.
    pub(crate) async fn drop_connections(&self, over: Duration) {
        let connections = self.connections.all();
        let most_batches = (over.as_secs_f64() * BATCHES_PER_SECOND).max(1.0) as usize;
        let batches = connections.chunks(connections.len().div_ceil(most_batches).max(1));
        let pause = over.div_f64(batches.len().max(1) as f64);
        for batch in batches {
            let next = Instant::now() + pause;
            while Instant::now() < next && !self.connections.is_empty() {
                tokio::time::sleep(CHECK.min(next.saturating_duration_since(Instant::now()))).await;
            }
            for connection in batch {
                connection.end(DisconnectReason::ServerShuttingDown, None);
            }
        }
        // Polling clients have yet to fetch CLOSE, and clients that are upgrading have yet to get it over the
        // WebSocket.
        let until = Instant::now() + LAST_FETCHES;
        while Instant::now() < until && !self.connections.is_empty() {
            // A handshake that was accepted before may have become a connection only now.
            for late in self.connections.all() {
                if !late.is_closed() {
                    late.end(DisconnectReason::ServerShuttingDown, None);
                }
            }
            tokio::time::sleep(CHECK).await;
        }
    }

    /// Disconnects all sockets that are left, those of clients that are away too.
    pub(crate) fn close(&self) {
        for connection in self.connections.all() {
            connection.lose(DisconnectReason::ServerShuttingDown);
        }
        for socket in self.away.all() {
            socket.end(DisconnectReason::ServerShuttingDown);
        }
    }
}
