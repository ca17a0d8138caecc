//! The settings of plain WebSocket.

use std::time::Duration;

/// The settings of plain WebSocket.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// From one ping frame of the server's to the next.
    pub(crate) ping_interval: Duration,
    /// How long a client may send no frame at all.
    pub(crate) idle_timeout: Duration,
    /// The name of the event that a bare text stands for.
    pub(crate) text_event: String,
    /// The name of the event by which clients of bare texts get saved messages; `None` where texts are not saved.
    pub(crate) saved_event: Option<&'static str>,
    /// Whether clients join the root namespace before they send anything.
    pub(crate) open_at_once: bool,
}
