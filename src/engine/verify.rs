//! Verifies a request of a client, as Engine.IO's `verify` does in Node: transport, session, method, version of the
//! protocol, limits, and the headers of a WebSocket handshake.
//!
//! All ways in are verified here: a WebSocket that is accepted before hyper, one that comes through hyper, the upgrade
//! of a polling connection, long polling, and plain WebSocket. `server::handshake_checks` comes first: it checks the
//! origin, the host, and that the server is not closing.

use std::sync::Arc;

use http::{Method, Version, header::SEC_WEBSOCKET_VERSION};

use super::{
    connection::Connection,
    handle::Engine,
    handshake::Handshake,
    opening::Opening,
    parameters::Parameters,
    refusal::{Form, Refusal, Refused, WEBSOCKET_VERSION},
    request_head::RequestHead,
    version::Protocol,
    websocket::{Acceptance, asks_for_websocket},
};
use crate::limits::Waiting;

/// What a verified request asks for.
pub(crate) enum Verified {
    /// A new connection over a WebSocket: of Engine.IO, or a plain one.
    WebSocket(Opening, Acceptance),
    /// A new connection over long polling.
    Polling(Opening),
    /// A polling connection is to move to a WebSocket.
    Upgrade(Arc<Connection>, Acceptance),
    /// A WebSocket for which the query names the transport `polling`: it is accepted and closed, as in Node.
    Closed(Acceptance),
    /// A GET of a polling connection.
    Get(Arc<Connection>),
    /// A POST of a polling connection.
    Post(Arc<Connection>),
}

/// Verifies a request under the path of Socket.IO.
pub(crate) fn verify(engine: &Arc<Engine>, head: &RequestHead<'_>) -> Result<Verified, Refused> {
    let form = if asks_for_websocket(head.headers) { Form::Text } else { Form::Json };
    verify_engine_io(engine, head).map_err(|refusal| Refused { refusal, form })
}

/// Verifies the handshake of a plain WebSocket.
pub(crate) fn verify_plain(engine: &Arc<Engine>, head: &RequestHead<'_>) -> Result<Verified, Refused> {
    verify_plain_websocket(engine, head).map_err(|refusal| Refused { refusal, form: Form::Status })
}

fn verify_engine_io(engine: &Arc<Engine>, head: &RequestHead<'_>) -> Result<Verified, Refusal> {
    let is_upgrade = asks_for_websocket(head.headers);
    let parameters = Parameters::of(head.uri);
    let is_websocket = match parameters.transport.as_deref() {
        Some("websocket") => true,
        Some("polling") => false,
        _ => return Err(Refusal::UnknownTransport),
    };
    if let Some(sid) = &parameters.sid {
        let connection = engine.connections.find(sid).ok_or(Refusal::UnknownSession)?;
        if connection.protocol != parameters.protocol() {
            return Err(Refusal::BadRequest);
        }
        return match (is_upgrade, is_websocket, head.method) {
            (true, true, _) => Ok(Verified::Upgrade(connection, acceptance(head)?)),
            (true, false, _) => Ok(Verified::Closed(acceptance(head)?)),
            (false, false, &Method::GET) => Ok(Verified::Get(connection)),
            (false, false, &Method::POST) => Ok(Verified::Post(connection)),
            (false, false, _) => Err(Refusal::BadMethodOfSession),
            (false, true, _) => Err(Refusal::BadRequest),
        };
    }
    if head.method != Method::GET {
        return Err(Refusal::BadMethod);
    }
    match (is_upgrade, is_websocket) {
        (true, false) => return Ok(Verified::Closed(acceptance(head)?)),
        (false, true) => return Err(Refusal::BadRequest),
        _ => {}
    }
    if parameters.protocol() == Protocol::V3 && !engine.shared.settings.allow_eio3 {
        return Err(Refusal::UnsupportedProtocol);
    }
    let waiting = waiting(engine, head)?;
    let handshake = Handshake::of_engine_io(&engine.shared.settings, &parameters, head);
    let opening = Opening::new(engine, handshake, waiting);
    if is_websocket { Ok(Verified::WebSocket(opening, acceptance(head)?)) } else { Ok(Verified::Polling(opening)) }
}

fn verify_plain_websocket(engine: &Arc<Engine>, head: &RequestHead<'_>) -> Result<Verified, Refusal> {
    if head.headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version != WEBSOCKET_VERSION) {
        return Err(Refusal::UnsupportedWebSocket);
    }
    if head.method != Method::GET {
        return Err(Refusal::BadRequest);
    }
    let acceptance = acceptance(head)?;
    let waiting = waiting(engine, head)?;
    Ok(Verified::WebSocket(Opening::new(engine, Handshake::of_plain(head), waiting), acceptance))
}

/// Checks the version of HTTP and the headers of a WebSocket handshake.
fn acceptance(head: &RequestHead<'_>) -> Result<Acceptance, Refusal> {
    let acceptance = Acceptance::of(head.headers).filter(|_| head.version == Version::HTTP_11);
    acceptance.ok_or(Refusal::BadRequest)
}

/// Takes a place among the connections that have joined no namespace yet.
fn waiting(engine: &Engine, head: &RequestHead<'_>) -> Result<Waiting, Refusal> {
    if engine.shared.account.is_full() {
        return Err(Refusal::Full("memory"));
    }
    engine.shared.limits.try_wait(head.address).map_err(Refusal::Full)
}
