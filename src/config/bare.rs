//! The configuration of a server without the chat: Node's defaults.

use std::time::Duration;

use super::{Config, CorsConfig, LimitsConfig, RecoveryConfig, Relays, ServerConfig, WsConfig};

impl Config {
    /// The defaults of Node's `new Server()`, for [`Server::bare`](crate::Server::bare): no limits but
    /// `limits.payload-bytes` (1 MB), no connection state recovery, no clients of Engine.IO 3, no relays, no plain
    /// WebSocket, and no other origins.
    pub fn bare() -> Self {
        Self {
            server: ServerConfig {
                allow_eio3: false,
                connect_timeout: Duration::from_secs(45),
                demo: false,
                ..ServerConfig::default()
            },
            cors: CorsConfig { origins: Vec::new(), ..CorsConfig::default() },
            relay: Relays::new(),
            recovery: RecoveryConfig { window: Duration::ZERO, ..RecoveryConfig::default() },
            limits: LimitsConfig {
                events_per_second: 0,
                attachments: 0,
                rooms_per_user: 0,
                sockets_per_user: 0,
                sockets_per_address: 0,
                connections: 0,
                events_in_flight: 0,
                received_bytes: 0,
                queued_bytes: 0,
                queued_bytes_total: 0,
                memory: 0,
                payload_bytes: LimitsConfig::default().payload_bytes,
            },
            ws: WsConfig { paths: Vec::new(), ..WsConfig::default() },
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_node_are_valid() {
        assert_eq!(Config::bare().check().unwrap(), Vec::<String>::new());
    }
}
