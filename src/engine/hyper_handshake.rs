//! A WebSocket handshake that came through hyper: the response, and the TCP stream, which hyper gives back once the
//! response has been sent.

use axum::{body::Body, response::Response};
use http::{Request, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::{
    ahead::{Ahead, Kept},
    websocket::Acceptance,
};

/// The stream of an accepted WebSocket.
pub(super) struct Stream {
    pub(super) reader: OwnedReadHalf,
    pub(super) writer: OwnedWriteHalf,
    /// The bytes that were read behind the handshake.
    pub(super) ahead: Vec<u8>,
    /// To be held as long as the stream is used.
    pub(super) kept: Kept,
}

/// The response that accepts a handshake, and what yields the stream when it has been sent. `None` where hyper knows of
/// no upgrade.
pub(super) fn accept(request: &mut Request<Body>, acceptance: Acceptance) -> Option<(Response, OnUpgrade)> {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>()?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in acceptance.headers() {
        response.headers_mut().insert(name, value);
    }
    Some((response, upgrade))
}

/// Waits until the response has been sent, and takes the stream back. `None` if the connection broke.
pub(super) async fn stream(upgrade: OnUpgrade) -> Option<Stream> {
    let upgraded: Upgraded = upgrade.await.ok()?;
    let parts = upgraded.downcast::<TokioIo<Ahead>>().ok()?;
    // Copied: the slice would keep hyper's whole read buffer alive.
    let mut ahead = parts.read_buf.to_vec();
    let (stream, unread, kept) = parts.io.into_inner().into_parts();
    ahead.extend(unread);
    let (reader, writer) = stream.into_split();
    Some(Stream { reader, writer, ahead, kept })
}
