//! Answers verified requests that came through hyper.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio::time::timeout;

use super::{
    connection::Connection,
    frame::Frame,
    hyper_handshake::{self, Stream},
    opening::Opening,
    polling,
    reader::Reader,
    refusal::Refusal,
    upgrade,
    verify::Verified,
    version::Protocol,
    websocket::opcode,
};

/// How long the client of a WebSocket that gets no connection may take to close it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers a verified request.
pub(crate) async fn serve(verified: Verified, mut request: Request<Body>) -> Response {
    let (acceptance, websocket) = match verified {
        Verified::Polling(opening) => {
            return match opening.polling() {
                Some(connection) => polling::get(&connection).await,
                None => Refusal::BadRequest.as_json(),
            };
        }
        Verified::Get(connection) => return polling::get(&connection).await,
        Verified::Post(connection) => return polling::post(&connection, request).await,
        Verified::WebSocket(opening, acceptance) => (acceptance, WebSocket::New(opening)),
        Verified::Upgrade(connection, acceptance) => (acceptance, WebSocket::Upgrade(connection)),
        Verified::Closed(acceptance) => (acceptance, WebSocket::Closed),
    };
    let Some((response, upgrade)) = hyper_handshake::accept(&mut request, acceptance) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match websocket {
        WebSocket::New(opening) => drop(tokio::spawn(run(opening, upgrade))),
        // Only one WebSocket at a time may be tried.
        WebSocket::Upgrade(connection) if connection.begin_upgrade() => {
            drop(tokio::spawn(try_upgrade(connection, upgrade)));
        }
        WebSocket::Upgrade(_) | WebSocket::Closed => drop(tokio::spawn(close(upgrade))),
    }
    response
}

/// What becomes of an accepted WebSocket.
enum WebSocket {
    New(Opening),
    Upgrade(Arc<Connection>),
    Closed,
}

/// Runs a new connection over the stream.
async fn run(opening: Opening, upgrade: OnUpgrade) {
    let Some(Stream { reader, writer, mut ahead, kept: _kept }) = hyper_handshake::stream(upgrade).await else {
        return;
    };
    let Some(connection) = opening.websocket(writer, None) else { return };
    let mut reader = Reader::new(connection, reader);
    reader.feed(&mut ahead);
    reader.run().await;
}

/// Moves a polling connection to the stream, if its client completes the upgrade.
async fn try_upgrade(connection: Arc<Connection>, upgrade: OnUpgrade) {
    match hyper_handshake::stream(upgrade).await {
        Some(stream) => upgrade::probe(connection, stream).await,
        None => connection.abandon_upgrade(),
    }
}

/// Closes a WebSocket that gets no connection: sends a close frame and waits until the client has closed it too.
async fn close(upgrade: OnUpgrade) {
    let Some(Stream { mut reader, writer, .. }) = hyper_handshake::stream(upgrade).await else { return };
    let frame = Frame::control(opcode::CLOSE, &[]);
    if writer.try_write(frame.wire(Protocol::V4)).is_ok() {
        let mut nowhere = tokio::io::sink();
        // The stream is dropped next, whether or not the client closed it.
        drop(timeout(CLOSE_TIMEOUT, tokio::io::copy(&mut reader, &mut nowhere)).await);
    }
}
