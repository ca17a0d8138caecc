//! Accepts a WebSocket handshake that came through hyper: builds the response, and takes the stream back after hyper
//! has sent the response.

use axum::{body::Body, response::Response};
use http::{Request, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::net::TcpStream;

use super::{
    http_stream::{ConnectionGuard, HttpStream},
    stream::{self, ReadHalf, WriteHalf},
    websocket::HandshakeResponse,
};

/// The stream of an accepted WebSocket.
pub(super) struct UpgradedStream {
    pub(super) reader: ReadHalf,
    pub(super) writer: WriteHalf,
    /// The bytes after the handshake that were read already.
    pub(super) ahead: Vec<u8>,
    /// Must be held as long as the stream is used. `None` if another server has accepted the connection ([`of_host`]).
    pub(super) guard: Option<ConnectionGuard>,
}

/// The response that accepts a handshake, and a future for the stream. `None` if hyper has no upgrade for the request.
pub(super) fn accept(
    request: &mut Request<Body>,
    handshake_response: HandshakeResponse,
) -> Option<(Response, OnUpgrade)> {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>()?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in handshake_response.headers() {
        response.headers_mut().insert(name, value);
    }
    Some((response, upgrade))
}

/// Waits until hyper has sent the response, and takes the stream back. `None` if the connection broke.
pub(super) async fn stream(upgrade: OnUpgrade) -> Option<UpgradedStream> {
    let upgraded = upgrade.await.ok()?;
    Some(match upgraded.downcast::<TokioIo<HttpStream>>() {
        Ok(parts) => {
            // Copied: the slice would keep hyper's whole read buffer alive.
            let mut ahead = parts.read_buf.to_vec();
            let (stream, unread, guard) = parts.io.into_inner().into_parts();
            ahead.extend(unread);
            let (reader, writer) = stream::split_tcp(stream);
            UpgradedStream { reader, writer, ahead, guard: Some(guard) }
        }
        Err(upgraded) => of_host(upgraded),
    })
}

/// The stream of a router that is mounted in another server: often the TCP stream of `axum::serve`.
fn of_host(upgraded: Upgraded) -> UpgradedStream {
    let (reader, writer, ahead) = match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => {
            let stream = parts.io.into_inner();
            // With Nagle's algorithm, small packets could wait 40 ms for the peer's delayed ACK. An error is ignored:
            // it means that the stream is broken, and the next read fails too.
            drop(stream.set_nodelay(true));
            let (reader, writer) = stream::split_tcp(stream);
            (reader, writer, parts.read_buf.to_vec())
        }
        Err(upgraded) => {
            let (reader, writer) = stream::split(upgraded);
            (reader, writer, Vec::new())
        }
    };
    UpgradedStream { reader, writer, ahead, guard: None }
}
