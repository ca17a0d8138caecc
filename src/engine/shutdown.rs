//! Ends all connections when the server shuts down.

use std::time::{Duration, Instant};

use super::{application::Application, handle::Engine, reason::DisconnectReason};

/// Maximum number of batches of connections that are ended per second.
const BATCHES_PER_SECOND: f64 = 20.0;
/// How long polling clients may take to fetch their last packets.
const LAST_FETCHES: Duration = Duration::from_secs(1);
/// How often the server checks whether all clients have disconnected.
const CHECK: Duration = Duration::from_millis(20);

impl Engine {
    /// Ends all connections, in batches over this time, so that their clients do not reconnect at the same moment.
    /// Returns earlier if all clients have disconnected by themselves. With `may_poll`, polling clients have time to fetch
    /// their last packets.
    pub(crate) async fn drop_connections(&self, over: Duration, may_poll: bool) {
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
        // Waits for polling clients that have not fetched CLOSE, and for upgrading clients that have not received it
        // over the WebSocket.
        let until = Instant::now() + if may_poll { LAST_FETCHES } else { Duration::ZERO };
        while Instant::now() < until && !self.connections.is_empty() {
            // A handshake that was accepted before the shutdown may open a connection only now.
            for late in self.connections.all() {
                if !late.is_closed() {
                    late.end(DisconnectReason::ServerShuttingDown, None);
                }
            }
            tokio::time::sleep(CHECK).await;
        }
    }

    /// Ends the remaining connections at once. Sockets that can be recovered are away then.
    pub(crate) fn abort_connections(&self) {
        for connection in self.connections.all() {
            connection.abort(DisconnectReason::ServerShuttingDown);
        }
    }

    /// Ends the sockets whose clients are away, but for those that the next process can take up.
    pub(crate) fn end_away_sockets(&self, is_kept: impl Fn(&dyn Application) -> bool) {
        for socket in self.recoverable.all_away() {
            if !socket.application().is_some_and(|application| is_kept(&*application)) {
                socket.end(DisconnectReason::ServerShuttingDown);
            }
        }
    }
}
