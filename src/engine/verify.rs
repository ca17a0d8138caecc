//! Verifies a request of a client, as Engine.IO's `verify` does in Node: transport, session, method, version of the
//! protocol, limits, and the headers of a WebSocket handshake.
//!
//! All requests are verified here: WebSockets that are accepted before hyper reads them, WebSockets through hyper,
//! upgrades of polling connections, long polling, and plain WebSockets. `server::handshake_checks` has run before: it
//! checks the origin, the host, and that the server is not closing.

use std::sync::Arc;

use http::{Method, Version, header::SEC_WEBSOCKET_VERSION};

use super::{
    connection::Connection,
    connection_builder::ConnectionBuilder,
    handle::Engine,
    opening_request::OpeningRequest,
    parameters::Parameters,
    request_error::{ErrorFormat, RefusedRequest, RequestError, WEBSOCKET_VERSION},
    request_head::RequestHead,
    shared::Shared,
    stored_head::StoredHead,
    version::Protocol,
    websocket::{HandshakeResponse, asks_for_websocket},
};
use crate::{config::TransportKind, limits::PendingSeat};

/// A verified request. The variant tells what the request asks for.
pub(crate) enum VerifiedRequest {
    /// A new connection over a WebSocket: of Engine.IO, or a plain one.
    WebSocket(ConnectionBuilder, HandshakeResponse),
    /// A new connection over long polling.
    Polling(ConnectionBuilder),
    /// The upgrade of a polling connection to a WebSocket.
    Upgrade(Arc<Connection>, HandshakeResponse),
    /// A WebSocket whose query has the transport `polling`. It is accepted and closed, as in Node.
    Closed(HandshakeResponse),
    /// A GET of a polling connection.
    Get(Arc<Connection>),
    /// A POST of a polling connection.
    Post(Arc<Connection>),
}

impl VerifiedRequest {
    /// The builder of the connection that the request opens.
    pub(super) fn builder(&self) -> Option<&ConnectionBuilder> {
        match self {
            Self::WebSocket(builder, _) | Self::Polling(builder) => Some(builder),
            Self::Upgrade(..) | Self::Closed(_) | Self::Get(_) | Self::Post(_) => None,
        }
    }

    /// The open connection that the request belongs to.
    pub(super) fn connection(&self) -> Option<&Arc<Connection>> {
        match self {
            Self::Upgrade(connection, _) | Self::Get(connection) | Self::Post(connection) => Some(connection),
            Self::WebSocket(..) | Self::Polling(_) | Self::Closed(_) => None,
        }
    }

    /// The state that all connections share. `None` if the request neither opens nor uses a connection.
    pub(super) fn shared(&self) -> Option<&Arc<Shared>> {
        self.builder().map(ConnectionBuilder::shared).or_else(|| self.connection().map(|connection| &connection.shared))
    }

    /// The head of the request that opens or has opened its connection.
    pub(super) fn first_head(&self) -> Option<&StoredHead> {
        self.builder()
            .map(ConnectionBuilder::head)
            .or_else(|| self.connection().map(|connection| &connection.request.head))
    }
}

/// Verifies a request under the path of Socket.IO.
pub(crate) fn verify(engine: &Arc<Engine>, head: &RequestHead<'_>) -> Result<VerifiedRequest, RefusedRequest> {
    let format = if is_upgrade(engine, head) { ErrorFormat::Text } else { ErrorFormat::Json };
    verify_engine_io(engine, head).map_err(|error| RefusedRequest { error, format })
}

/// Verifies the handshake of a plain WebSocket.
pub(crate) fn verify_plain(engine: &Arc<Engine>, head: &RequestHead<'_>) -> Result<VerifiedRequest, RefusedRequest> {
    verify_plain_websocket(engine, head).map_err(|error| RefusedRequest { error, format: ErrorFormat::Empty })
}

/// Whether a request asks for a WebSocket. Where there are none, such a request is one like any other, as in Node.
fn is_upgrade(engine: &Engine, head: &RequestHead<'_>) -> bool {
    engine.shared.settings.transports.contains(&TransportKind::WebSocket) && asks_for_websocket(head.headers)
}

fn verify_engine_io(engine: &Arc<Engine>, head: &RequestHead<'_>) -> Result<VerifiedRequest, RequestError> {
    let is_upgrade = is_upgrade(engine, head);
    let parameters = Parameters::of(head.uri);
    let transport = match parameters.transport.as_deref() {
        Some("websocket") => TransportKind::WebSocket,
        Some("polling") => TransportKind::Polling,
        _ => return Err(RequestError::UnknownTransport),
    };
    if !engine.shared.settings.transports.contains(&transport) {
        return Err(RequestError::UnknownTransport);
    }
    let is_websocket = transport == TransportKind::WebSocket;
    if let Some(sid) = &parameters.sid {
        let connection = engine.connections.find(sid).ok_or(RequestError::UnknownSession)?;
        if connection.protocol != parameters.protocol() {
            return Err(RequestError::BadRequest);
        }
        return match (is_upgrade, is_websocket, head.method) {
            (true, true, _) => Ok(VerifiedRequest::Upgrade(connection, handshake_response(head)?)),
            (true, false, _) => Ok(VerifiedRequest::Closed(handshake_response(head)?)),
            (false, false, _) if connection.output().is_websocket() => Err(RequestError::BadRequest),
            (false, false, &Method::GET) => Ok(VerifiedRequest::Get(connection)),
            (false, false, &Method::POST) => Ok(VerifiedRequest::Post(connection)),
            (false, false, _) => Err(RequestError::BadMethodOfSession),
            (false, true, _) => Err(RequestError::BadRequest),
        };
    }
    if head.method != Method::GET {
        return Err(RequestError::BadMethod);
    }
    match (is_upgrade, is_websocket) {
        (true, false) => return Ok(VerifiedRequest::Closed(handshake_response(head)?)),
        (false, true) => return Err(RequestError::BadRequest),
        _ => {}
    }
    if parameters.protocol() == Protocol::V3 && !engine.shared.settings.allow_eio3 {
        return Err(RequestError::UnsupportedProtocol);
    }
    let pending = pending_seat(engine, head)?;
    let request = OpeningRequest::of_engine_io(&engine.shared.settings, &parameters, head);
    let builder = ConnectionBuilder::new(engine, request, pending);
    if is_websocket {
        Ok(VerifiedRequest::WebSocket(builder, handshake_response(head)?))
    } else {
        Ok(VerifiedRequest::Polling(builder))
    }
}

fn verify_plain_websocket(engine: &Arc<Engine>, head: &RequestHead<'_>) -> Result<VerifiedRequest, RequestError> {
    if head.headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version != WEBSOCKET_VERSION) {
        return Err(RequestError::UnsupportedWebSocket);
    }
    if head.method != Method::GET {
        return Err(RequestError::BadRequest);
    }
    let response = handshake_response(head)?;
    let pending = pending_seat(engine, head)?;
    Ok(VerifiedRequest::WebSocket(ConnectionBuilder::new(engine, OpeningRequest::of_plain(head), pending), response))
}

/// Checks the HTTP version and the headers of a WebSocket handshake. Returns the response to the handshake.
fn handshake_response(head: &RequestHead<'_>) -> Result<HandshakeResponse, RequestError> {
    let response = HandshakeResponse::of(head.headers).filter(|_| head.version == Version::HTTP_11);
    response.ok_or(RequestError::BadRequest)
}

/// Counts the client among the connections that have joined no namespace. Fails if a limit is reached.
fn pending_seat(engine: &Engine, head: &RequestHead<'_>) -> Result<PendingSeat, RequestError> {
    if engine.shared.account.is_full() {
        return Err(RequestError::Full("memory"));
    }
    engine.shared.limits.try_seat_pending(head.address).map_err(RequestError::Full)
}
