//! The WebSocket handshake (RFC 6455, section 4.2) and what follows it: a new connection, or a polling one that moves.

use std::{collections::HashSet, future::poll_fn, sync::Arc, task::Poll, time::Duration};

use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, Request, StatusCode,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::{
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use super::{
    Ahead, Protocol,
    ahead::Kept,
    connection::Connection,
    frame::Frame,
    reader::Probe,
    websocket::{Decoder, opcode},
};

/// Section 1.3 of the RFC.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How long the client of a WebSocket that gets no session may take to close it.
const CLOSING: Duration = Duration::from_secs(2);

/// How often a waiting poll is answered with NOOP during an upgrade, as in Node.
const RELEASE: Duration = Duration::from_millis(100);

/// Whether a request asks for a WebSocket.
pub(crate) fn is_asked_for(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// A request that asks for a WebSocket in the right words.
pub(super) struct Handshake {
    answer: Answer,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// `None` where the words are wrong.
    pub(super) fn of(request: &mut Request<Body>) -> Option<Self> {
        let answer = Answer::to(request.headers())?;
        let upgrade = request.extensions_mut().remove::<OnUpgrade>()?;
        Some(Self { answer, upgrade })
    }

    /// 101, and the stream when it has been sent.
    pub(super) fn accept(self) -> (Response, OnUpgrade) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.answer.accept);
        headers.extend(self.answer.subprotocol.map(|name| (SEC_WEBSOCKET_PROTOCOL, name)));
        (response, self.upgrade)
    }
}

/// What a WebSocket is accepted with (RFC 6455, section 4.2.2).
pub(super) struct Answer {
    pub(super) accept: HeaderValue,
    /// The first that the client offers, as npm `ws` answers: browsers close where they offer some and get none.
    pub(super) subprotocol: Option<HeaderValue>,
}

impl Answer {
    /// `None` where a WebSocket is not asked for in the right words.
    pub(super) fn to(headers: &HeaderMap) -> Option<Self> {
        let key = headers.get(SEC_WEBSOCKET_KEY)?.as_bytes();
        let is_key = STANDARD.decode(key).is_ok_and(|key| key.len() == 16);
        let version = headers.get(SEC_WEBSOCKET_VERSION)?.as_bytes();
        let asks = headers.get_all(CONNECTION).iter().any(|value| {
            value
                .as_bytes()
                .split(|byte| *byte == b',')
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
        });
        if !is_key || !matches!(version, b"13" | b"8") || !asks || !is_asked_for(headers) {
            return None;
        }
        let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
        let accept = HeaderValue::from_str(&STANDARD.encode(digest)).expect("base64 is a header's value");
        Some(Self { accept, subprotocol: subprotocol(headers)? })
    }
}

/// The first subprotocol that is offered, if any is. `None` where they are no list of names, or one is there twice.
fn subprotocol(headers: &HeaderMap) -> Option<Option<HeaderValue>> {
    let mut first = None;
    let mut names = HashSet::new();
    for offered in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        for name in offered.as_bytes().split(|byte| *byte == b',') {
            let name = name.trim_ascii();
            if name.is_empty() || !name.iter().copied().all(is_in_token) || !names.insert(name) {
                return None;
            }
            first.get_or_insert(name);
        }
    }
    Some(first.map(|name| HeaderValue::from_bytes(name).expect("a token is a header's value")))
}

/// RFC 9110, section 5.6.2.
fn is_in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
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

/// Sends a close frame on a WebSocket that gets no session, and waits for the client to close it too.
pub(super) async fn close(upgrade: OnUpgrade) {
    let Some(Stream { mut reader, writer, .. }) = stream(upgrade).await else { return };
    let frame = Frame::control(opcode::CLOSE, &[]);
    if writer.try_write(frame.wire(Protocol::V4)).is_ok() {
        let mut nowhere = tokio::io::sink();
        drop(tokio::time::timeout(CLOSING, tokio::io::copy(&mut reader, &mut nowhere)).await);
    }
}

/// A polling connection tries a WebSocket, which is the only one. Where nothing comes of it in time, polling goes on; where
/// the connection ends, so does the WebSocket.
pub(super) async fn probe(connection: Arc<Connection>, stream: Stream) {
    let Stream { reader, writer, ahead, kept: _kept } = stream;
    let decoder = Decoder::new(connection.shared.settings.max_payload.get());
    let mut probe = Probe::new(&connection, reader, decoder, ahead);
    let is_taken = tokio::select! {
        is_taken = is_taken(&connection, &mut probe, &writer) => is_taken,
        () = tokio::time::sleep(connection.shared.settings.upgrade_timeout) => false,
        () = over(&connection) => false,
    };
    if !is_taken {
        // It may be gone already.
        drop(writer.try_write(Frame::control(opcode::CLOSE, &[]).wire(connection.protocol)));
        return connection.abandon_upgrade();
    }
    if connection.finish_upgrade(writer) {
        probe.into_reader(connection).run().await;
    }
}

/// Whether the client completes the upgrade: `2probe` is answered `3probe`, `5` moves the session here, and anything else
/// fails it. After the probe a waiting poll is answered with NOOP, since the client waits for that answer before `5`.
async fn is_taken(connection: &Connection, probe: &mut Probe, writer: &OwnedWriteHalf) -> bool {
    let mut releases = None;
    loop {
        let text = match &mut releases {
            None => probe.next().await,
            Some(releases) => tokio::select! {
                text = probe.next() => text,
                _ = Interval::tick(releases) => {
                    connection.release_poll();
                    continue;
                }
            },
        };
        match text.as_deref() {
            Some("5") => return true,
            Some("2probe") if writer.try_write(Frame::engine("3probe").wire(connection.protocol)).is_ok() => {
                let mut interval = interval_at(Instant::now() + RELEASE, RELEASE);
                interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
                releases = Some(interval);
            }
            _ => return false,
        }
    }
}

/// Done when nothing leaves any more.
async fn over(connection: &Connection) {
    poll_fn(|cx| if connection.output().watch(cx) { Poll::Pending } else { Poll::Ready(()) }).await;
}
