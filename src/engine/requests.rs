//! Answers verified requests that came through hyper.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode, header::SET_COOKIE};
use hyper::upgrade::OnUpgrade;
use tokio::time::timeout;

use super::{
    connection::Connection,
    connection_builder::ConnectionBuilder,
    frame::Frame,
    handshake::Handshake,
    hyper_handshake::{self, UpgradedStream},
    polling,
    reader::Reader,
    request_error::{FORBIDDEN, RequestError},
    request_head::{ClientAddress, RequestHead},
    stored_head::StoredHead,
    upgrade,
    verify::VerifiedRequest,
    version::Protocol,
    websocket::opcode,
};
use crate::error::Code;

/// Maximum time for the client to close a WebSocket, after the server has sent its close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers a verified request, with the application's functions around it.
pub(crate) async fn serve(verified: VerifiedRequest, request: Request<Body>) -> Response {
    let Some(shared) = verified.shared().cloned() else { return answer(verified, request).await };
    let hooks = shared.hooks();
    if let Some(builder) = verified.builder()
        && let Err(message) = hooks.check(|| Handshake::new(builder.head(), "")).await
    {
        shared.metrics.refused(Code::Forbidden);
        if let Some(observers) = shared.observers() {
            let address = request.extensions().get::<ClientAddress>().map(|address| address.0);
            observers.refused(&request, address, FORBIDDEN, "Forbidden");
        }
        return match (&verified, builder.protocol()) {
            (_, Protocol::Plain) => (StatusCode::FORBIDDEN, message).into_response(),
            (VerifiedRequest::Polling(_), _) => RequestError::forbidden_as_json(&message),
            _ => RequestError::forbidden_as_text(message),
        };
    }
    if hooks.response_headers.is_none() {
        return answer(verified, request).await;
    }
    let is_secure = verified.first_head().is_some_and(StoredHead::is_secure);
    let address = request.extensions().get::<ClientAddress>().copied();
    let head = StoredHead::of(&RequestHead::of(&request, address, is_secure));
    let mut response = answer(verified, request).await;
    hooks.change(response.headers_mut(), &Handshake::new(&head, ""));
    response
}

async fn answer(verified: VerifiedRequest, mut request: Request<Body>) -> Response {
    let (handshake_response, websocket) = match verified {
        VerifiedRequest::Polling(builder) => return open_polling(builder).await,
        VerifiedRequest::Get(connection) => return polling::get(&connection).await,
        VerifiedRequest::Post(connection) => return polling::post(&connection, request).await,
        VerifiedRequest::WebSocket(builder, handshake_response) => (handshake_response, WebSocket::New(builder)),
        VerifiedRequest::Upgrade(connection, handshake_response) => {
            (handshake_response, WebSocket::Upgrade(connection))
        }
        VerifiedRequest::Closed(handshake_response) => (handshake_response, WebSocket::Closed),
    };
    let Some((response, upgrade)) = hyper_handshake::accept(&mut request, handshake_response) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match websocket {
        WebSocket::New(builder) => drop(tokio::spawn(run(builder, upgrade))),
        // Only one WebSocket at a time may be probed.
        WebSocket::Upgrade(connection) if connection.begin_upgrade() => {
            drop(tokio::spawn(run_upgrade(connection, upgrade)));
        }
        WebSocket::Upgrade(_) | WebSocket::Closed => drop(tokio::spawn(close(upgrade))),
    }
    response
}

/// Opens a polling connection, and answers with OPEN.
async fn open_polling(builder: ConnectionBuilder) -> Response {
    let Some(connection) = builder.open_polling() else { return RequestError::BadRequest.as_json() };
    let mut response = polling::get(&connection).await;
    if let Some(cookie) = &connection.shared.settings.cookie {
        response.headers_mut().insert(SET_COOKIE, cookie.header(&connection.sid));
    }
    response
}

/// The use of an accepted WebSocket.
enum WebSocket {
    /// A new connection.
    New(ConnectionBuilder),
    /// The upgrade of a polling connection.
    Upgrade(Arc<Connection>),
    /// Nothing: the server closes it at once.
    Closed,
}

/// Runs a new connection over the stream.
async fn run(builder: ConnectionBuilder, upgrade: OnUpgrade) {
    let Some(stream) = hyper_handshake::stream(upgrade).await else { return };
    let UpgradedStream { reader, writer, mut ahead, guard: _guard } = stream;
    let Some(connection) = builder.open_websocket(writer, None) else { return };
    let mut reader = Reader::new(connection, reader);
    reader.feed(&mut ahead);
    reader.run().await;
}

/// Upgrades a polling connection to the stream, if its client completes the upgrade.
async fn run_upgrade(connection: Arc<Connection>, upgrade: OnUpgrade) {
    match hyper_handshake::stream(upgrade).await {
        Some(stream) => upgrade::probe(connection, stream).await,
        None => connection.abandon_upgrade(),
    }
}

/// Closes a WebSocket: sends a close frame and waits until the client has closed it too.
async fn close(upgrade: OnUpgrade) {
    let Some(UpgradedStream { mut reader, writer, .. }) = hyper_handshake::stream(upgrade).await else { return };
    let frame = Frame::control(opcode::CLOSE, &[]);
    if writer.send_now(frame.websocket_bytes(Protocol::V4)).is_ok() {
        let mut nowhere = tokio::io::sink();
        // The stream is dropped next, whether or not the client closed it.
        drop(timeout(CLOSE_TIMEOUT, tokio::io::copy(&mut reader, &mut nowhere)).await);
    }
}
