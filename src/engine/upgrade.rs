//! The WebSocket handshake (RFC 6455, section 4.2) and what follows it: a new link, or a polling one that moves.

use std::{future::poll_fn, sync::Arc, task::Poll};

use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, Request, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::{Ahead, ahead::Kept, frame::Frame, link::Link, reader::Probe, websocket::Decoder};

/// Section 1.3 of the RFC.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether a request asks for a WebSocket.
pub(crate) fn is_asked_for(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// A request that asks for a WebSocket in the right words.
pub(super) struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// `None` where the words are wrong.
    pub(super) fn of(request: &mut Request<Body>) -> Option<Self> {
        let accept = HeaderValue::from_str(&accept(request.headers())?).ok()?;
        let upgrade = request.extensions_mut().remove::<OnUpgrade>()?;
        Some(Self { accept, upgrade })
    }

    /// 101, and the stream when it has been sent.
    pub(super) fn accept(self) -> (Response, OnUpgrade) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        (response, self.upgrade)
    }
}

/// What a WebSocket is accepted with (section 4.2.2); `None` where it is not asked for in the right words.
pub(super) fn accept(headers: &HeaderMap) -> Option<String> {
    let key = headers.get(SEC_WEBSOCKET_KEY)?.as_bytes();
    let is_key = STANDARD.decode(key).is_ok_and(|key| key.len() == 16);
    let version = headers.get(SEC_WEBSOCKET_VERSION)?.as_bytes();
    let asks = headers.get_all(CONNECTION).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    });
    if !is_key || !matches!(version, b"13" | b"8") || !asks || !is_asked_for(headers) {
        return None;
    }
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    Some(STANDARD.encode(digest))
}

/// A connection that is a WebSocket now, and what the client sent in the meantime.
pub(super) struct Stream {
    pub(super) reader: OwnedReadHalf,
    pub(super) writer: OwnedWriteHalf,
    pub(super) ahead: Vec<u8>,
    pub(super) kept: Kept,
}

/// Waits for the response to be sent and takes the connection. `None` where it broke.
pub(super) async fn stream(upgrade: OnUpgrade) -> Option<Stream> {
    let upgraded: Upgraded = upgrade.await.ok()?;
    let parts = upgraded.downcast::<TokioIo<Ahead>>().ok()?;
    // Copied: the bytes would keep the whole buffer they were read into.
    let mut ahead = parts.read_buf.to_vec();
    let (stream, unread, kept) = parts.io.into_inner().into_parts();
    ahead.extend(unread);
    let (reader, writer) = stream.into_split();
    Some(Stream { reader, writer, ahead, kept })
}

/// A polling link tries a WebSocket, which is the only one. Where nothing comes of it in time, polling goes on; where
/// the link ends, so does the WebSocket.
pub(super) async fn probe(link: Arc<Link>, stream: Stream) {
    let Stream { reader, writer, ahead, kept: _kept } = stream;
    let decoder = Decoder::new(link.engine.settings.max_payload.get());
    let mut probe = Probe::new(reader, decoder, ahead);
    let is_taken = tokio::select! {
        is_taken = is_taken(&link, &mut probe, &writer) => is_taken,
        () = tokio::time::sleep(link.engine.settings.upgrade_timeout) => false,
        () = over(&link) => false,
    };
    if !is_taken {
        return link.abandon_upgrade();
    }
    if link.finish_upgrade(writer) {
        probe.into_reader(link).run().await;
    }
}

/// `2probe` is answered `3probe`, and with `5` everything moves here.
async fn is_taken(link: &Link, probe: &mut Probe, writer: &OwnedWriteHalf) -> bool {
    let is_probed = probe.next().await.as_deref() == Some("2probe") && link.probed();
    if !is_probed || writer.try_write(Frame::engine("3probe").wire(link.protocol)).is_err() {
        return false;
    }
    while let Some(text) = probe.next().await {
        if text == "5" {
            return true;
        }
    }
    false
}

/// Done when nothing leaves any more.
async fn over(link: &Link) {
    poll_fn(|cx| if link.output().watch(cx) { Poll::Pending } else { Poll::Ready(()) }).await;
}
