//! Opens a connection for a verified request. Its first packet of Engine.IO is OPEN; a plain WebSocket has no OPEN.

use std::sync::Arc;

use rand::{Rng, distr::Alphanumeric};
use serde::Serialize;

use super::{
    connection::Connection,
    engine_side::EngineSide,
    frame::Frame,
    handle::Engine,
    library::LibrarySession,
    opening_request::OpeningRequest,
    output::{PollState, Transport, UpgradeState},
    settings::Settings,
    shared::Shared,
    stored_head::StoredHead,
    stream::WriteHalf,
    version::Protocol,
};
use crate::{config::TransportKind, limits::PendingSeat};

/// Length of a session id in characters. Each is one of 62 letters and digits, so the id has 142 random bits.
const SID_LEN: usize = 24;

/// A connection that is verified and not opened yet.
pub(crate) struct ConnectionBuilder {
    engine: Arc<Engine>,
    request: OpeningRequest,
    /// Counts the connection among those that have joined no namespace.
    waiting: PendingSeat,
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

impl ConnectionBuilder {
    pub(super) fn new(engine: &Arc<Engine>, request: OpeningRequest, waiting: PendingSeat) -> Self {
        Self { engine: engine.clone(), request, waiting }
    }

    /// The head of its request.
    pub(super) fn head(&self) -> &StoredHead {
        &self.request.head
    }

    /// The protocol of its client.
    pub(super) fn protocol(&self) -> Protocol {
        self.request.protocol
    }

    /// What all connections share.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.engine.shared
    }

    /// Opens a polling connection. `None` if [`Self::open`] fails.
    pub(super) fn open_polling(self) -> Option<Arc<Connection>> {
        let transport = Transport::Polling { poll: PollState::None, upgrade: UpgradeState::None };
        self.open(transport, None)
    }

    /// Opens a connection over a WebSocket. `head` is the response to the handshake if it is not sent yet: it is sent
    /// in one write with OPEN. `None` if [`Self::open`] fails.
    pub(super) fn open_websocket(self, writer: WriteHalf, head: Option<&Arc<Frame>>) -> Option<Arc<Connection>> {
        self.open(Transport::WebSocket(writer), head)
    }

    /// Opens the connection. A client of Engine.IO 3 joins the root namespace without a CONNECT, and uses its session
    /// id as the id of that socket. For such a client, the session id is therefore the id that the library has chosen
    /// for the socket. `None` if the library does not open a session for such a client.
    fn open(self, transport: Transport, head: Option<&Arc<Frame>>) -> Option<Arc<Connection>> {
        let Self { engine, request, waiting } = self;
        let protocol = request.protocol;
        let engine_side = EngineSide::default();
        let (sid, root_session) = match protocol {
            Protocol::V4 | Protocol::Plain => (secret(), None),
            Protocol::V3 => {
                let session = LibrarySession::open(engine.shared.library(), engine_side.clone())?;
                (session.sid().to_string(), Some(session))
            }
        };
        let open = (protocol != Protocol::Plain).then(|| Open::packet(&sid, &transport, &engine.shared.settings));
        let connection = engine.add_connection(sid, request, transport, waiting);
        if let Some(head) = head {
            connection.output().cork();
            connection.send(head);
        }
        if let Some(open) = open {
            connection.send(&Frame::engine(&open));
        }
        if let Some(session) = root_session {
            engine.join_root(&connection, session, &engine_side);
        }
        Some(connection)
    }
}

impl Open<'_> {
    /// The text of an OPEN packet.
    fn packet(sid: &str, transport: &Transport, settings: &Settings) -> String {
        let is_websocket = matches!(transport, Transport::WebSocket(_));
        let may_upgrade = !is_websocket && settings.transports.contains(&TransportKind::WebSocket);
        let open = Open {
            sid,
            upgrades: if may_upgrade { &["websocket"] } else { &[] },
            ping_interval: settings.ping_interval.as_millis() as u64,
            ping_timeout: settings.ping_timeout.as_millis() as u64,
            max_payload: settings.max_payload.get(),
        };
        format!("0{}", serde_json::to_string(&open).expect("strings and numbers can be encoded as JSON"))
    }
}

/// A new session id, which is the client's secret.
fn secret() -> String {
    rand::rng().sample_iter(Alphanumeric).take(SID_LEN).map(char::from).collect()
}
