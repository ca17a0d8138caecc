//! Opens a connection whose request was verified. OPEN is the first packet that it sends.

use std::sync::Arc;

use rand::{Rng, distr::Alphanumeric};
use serde::Serialize;
use tokio::net::tcp::OwnedWriteHalf;

use super::{
    Engine, Protocol,
    connection::Connection,
    frame::Frame,
    handshake::Handshake,
    library::{EngineSide, LibrarySession},
    output::{Request, Transport, Upgrade},
};
use crate::limits::Waiting;

/// Length of a session id in characters: 24 of 62 are 142 bits.
const SID_LEN: usize = 24;

/// A connection that may be opened.
pub(crate) struct Opening {
    pub(super) engine: Arc<Engine>,
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
        self.engine_io(transport, &["websocket"], None)
    }

    /// Opens a connection over a WebSocket. `head` is the head of the response to the handshake, where that has not
    /// been sent: it leaves in one write with OPEN. `None` if the library refuses.
    pub(super) fn websocket(self, writer: OwnedWriteHalf, head: Option<&Arc<Frame>>) -> Option<Arc<Connection>> {
        self.engine_io(Transport::WebSocket(writer), &[], head)
    }

    /// Opens a connection over a plain WebSocket, which sends nothing of its own accord.
    pub(super) fn plain(self, writer: OwnedWriteHalf) -> Arc<Connection> {
        let Self { engine, handshake, waiting } = self;
        Connection::new(&engine, secret(), handshake, Transport::WebSocket(writer), waiting)
    }

    /// Clients of Engine.IO 3 are in the root namespace without asking. They take the id of the session for the id of
    /// their socket, which is the library's to choose.
    fn engine_io(
        self,
        transport: Transport,
        upgrades: &'static [&'static str],
        head: Option<&Arc<Frame>>,
    ) -> Option<Arc<Connection>> {
        let Self { engine, handshake, waiting } = self;
        let engine_side = EngineSide::default();
        let (sid, root) = match handshake.protocol {
            Protocol::V4 | Protocol::Plain => (secret(), None),
            Protocol::V3 => {
                let session = LibrarySession::open(engine.library(), &engine_side)?;
                (session.sid().to_string(), Some(session))
            }
        };
        let settings = &engine.settings;
        let open = Open {
            sid: &sid,
            upgrades,
            ping_interval: settings.ping_interval.as_millis() as u64,
            ping_timeout: settings.ping_timeout.as_millis() as u64,
            max_payload: settings.max_payload.get(),
        };
        let packet = format!("0{}", serde_json::to_string(&open).expect("plain data"));
        let connection = Connection::new(&engine, sid, handshake, transport, waiting);
        if let Some(head) = head {
            connection.output().cork();
            connection.send(head);
        }
        connection.send(&Frame::engine(&packet));
        if let Some(session) = root
            && let Some(route) = engine.route("/")
        {
            connection.connect_through(session, &engine_side, "/", route, "");
        }
        Some(connection)
    }
}

/// A new session id, which is the client's secret.
fn secret() -> String {
    rand::rng().sample_iter(Alphanumeric).take(SID_LEN).map(char::from).collect()
}
