//! Opens a connection whose request was verified. The first packet of Engine.IO that it sends is OPEN; a plain
//! WebSocket has none.

use std::sync::Arc;

use rand::{Rng, distr::Alphanumeric};
use serde::Serialize;
use tokio::net::tcp::OwnedWriteHalf;

use super::{
    connection::Connection,
    engine_side::EngineSide,
    frame::Frame,
    handle::Engine,
    handshake::Handshake,
    library::LibrarySession,
    output::{Request, Transport, Upgrade},
    settings::Settings,
    version::Protocol,
};
use crate::limits::Waiting;

/// Length of a session id in characters: 24 of 62 are 142 bits.
const SID_LEN: usize = 24;

/// A connection that may be opened.
pub(crate) struct Opening {
    engine: Arc<Engine>,
    handshake: Handshake,
    /// Its place among the connections that have joined no namespace yet.
    waiting: Waiting,
}

/// The payload of OPEN; durations in milliseconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    sid: &'a str,
    upgrades: &'static [&'static str],
    ping_interval: u64,
    ping_timeout: u64,
    max_payload: usize,
}

impl Opening {
    pub(super) fn new(engine: &Arc<Engine>, handshake: Handshake, waiting: Waiting) -> Self {
        Self { engine: engine.clone(), handshake, waiting }
    }

    /// Opens a polling connection. `None` if the library refuses.
    pub(super) fn polling(self) -> Option<Arc<Connection>> {
        let transport = Transport::Polling { request: Request::None, upgrade: Upgrade::No };
        self.open(transport, None)
    }

    /// Opens a connection over a WebSocket. `head` is the head of the response to the handshake, where that has not
    /// been sent: it leaves in one write with OPEN. `None` if the library refuses.
    pub(super) fn websocket(self, writer: OwnedWriteHalf, head: Option<&Arc<Frame>>) -> Option<Arc<Connection>> {
        self.open(Transport::WebSocket(writer), head)
    }

    /// Clients of Engine.IO 3 are in the root namespace without asking. They take the id of the session for the id of
    /// their socket, which is the library's to choose.
    fn open(self, transport: Transport, head: Option<&Arc<Frame>>) -> Option<Arc<Connection>> {
        let Self { engine, handshake, waiting } = self;
        let protocol = handshake.protocol;
        let engine_side = EngineSide::default();
        let (sid, root) = match protocol {
            Protocol::V4 | Protocol::Plain => (secret(), None),
            Protocol::V3 => {
                let session = LibrarySession::open(engine.shared.library(), engine_side.clone())?;
                (session.sid().to_string(), Some(session))
            }
        };
        let open = (protocol != Protocol::Plain).then(|| Open::packet(&sid, &transport, &engine.shared.settings));
        let connection = engine.add_connection(sid, handshake, transport, waiting);
        if let Some(head) = head {
            connection.output().cork();
            connection.send(head);
        }
        if let Some(open) = open {
            connection.send(&Frame::engine(&open));
        }
        if let Some(session) = root {
            engine.join_root(&connection, session, &engine_side);
        }
        Some(connection)
    }
}

impl Open<'_> {
    /// OPEN as text.
    fn packet(sid: &str, transport: &Transport, settings: &Settings) -> String {
        let open = Open {
            sid,
            upgrades: if matches!(transport, Transport::WebSocket(_)) { &[] } else { &["websocket"] },
            ping_interval: settings.ping_interval.as_millis() as u64,
            ping_timeout: settings.ping_timeout.as_millis() as u64,
            max_payload: settings.max_payload.get(),
        };
        format!("0{}", serde_json::to_string(&open).expect("plain data"))
    }
}

/// A new session id, which is the client's secret.
fn secret() -> String {
    rand::rng().sample_iter(Alphanumeric).take(SID_LEN).map(char::from).collect()
}
