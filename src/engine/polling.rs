//! Long polling: a GET waits for packets of the server, a POST brings packets of the client.

use std::{
    future::poll_fn,
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
};

use axum::{body::Body, response::Response};
use http::{
    HeaderValue, Request, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::{
    connection::{Connection, intake::Intake},
    jsonp,
    memory::{Charge, Kind, ReceivedCharge},
    output::{Request as Waiting, Transport, Upgrade},
    payload::{self, Packet, Packets},
    reason::DisconnectReason,
    refusal::Refusal,
    version::Protocol,
};

/// Answers a GET: with what is unsent, or as soon as there is something.
pub(super) async fn get(connection: &Arc<Connection>) -> Response {
    let (is_alone, is_moving) = match connection.output().transport() {
        Transport::Polling { request, upgrade } => {
            let is_alone = matches!(request, Waiting::None);
            if is_alone {
                *request = Waiting::Waiting(None);
            }
            (is_alone, *upgrade != Upgrade::No)
        }
        Transport::Closing(_) => (true, false),
        Transport::WebSocket(_) | Transport::Closed => return Refusal::BadRequest.as_json(),
    };
    if !is_alone {
        connection.end_for_mistake(DisconnectReason::TransportError, "a second GET while one waits");
        return text_response(StatusCode::BAD_REQUEST, String::new());
    }
    // Dropped if the client hangs up while it waits: then the connection ends.
    let mut waiting = HangsUp(Some(connection));
    let payload = poll_fn(|cx| connection.poll_payload(cx)).await;
    waiting.0 = None;
    let payload = match payload {
        Some(payload) => payload,
        // The client sent the GET before UPGRADE, and it was answered after it: as a GET that comes after UPGRADE.
        None if is_moving => return Refusal::BadRequest.as_json(),
        None => connection.close_payload(),
    };
    let body = match &connection.handshake.jsonp {
        Some(callback) => callback.script(&payload),
        None => payload,
    };
    let charge = Charge::new(&connection.shared.account, Kind::Http, body.len());
    text_response(StatusCode::OK, charge.hold(body.into()))
}

/// A GET that waits. It ends the connection if it is dropped before it is answered.
struct HangsUp<'a>(Option<&'a Arc<Connection>>);

impl Drop for HangsUp<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            // After an upgrade the connection does not need the GET.
            if !connection.output().is_websocket() {
                connection.lose(DisconnectReason::TransportError);
            }
        }
    }
}

/// Answers a POST, when all packets of its body have been taken in.
pub(super) async fn post(connection: &Arc<Connection>, request: Request<Body>) -> Response {
    {
        let mut output = connection.output();
        let is_closing = output.has_farewell();
        match output.transport() {
            Transport::Polling { .. } => {}
            Transport::WebSocket(_) => return Refusal::BadRequest.as_json(),
            // The client cannot know yet that the connection has ended: what it sends is dropped.
            Transport::Closing(_) if is_closing => {}
            Transport::Closing(_) | Transport::Closed => return Refusal::UnknownSession.as_json(),
        }
    }
    if connection.is_posting.swap(true, Ordering::Relaxed) {
        connection.end_for_mistake(DisconnectReason::TransportError, "a second POST while one is read");
        return text_response(StatusCode::BAD_REQUEST, String::new());
    }
    // Dropped if the client hangs up while the body is read or waits for its turn: then the connection ends.
    let mut posting = Posting { connection, is_done: false };
    let response = take_body(connection, request).await;
    posting.is_done = true;
    drop(posting);
    response
}

/// A POST that is being read. It ends the connection if it is dropped before it is done.
struct Posting<'a> {
    connection: &'a Arc<Connection>,
    is_done: bool,
}

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.connection.is_posting.store(false, Ordering::Relaxed);
        if !self.is_done {
            self.connection.lose(DisconnectReason::TransportError);
        }
    }
}

/// Reads the body of a POST and takes its packets in.
async fn take_body(connection: &Arc<Connection>, request: Request<Body>) -> Response {
    let is_binary = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream");
    if is_binary && connection.protocol == Protocol::V4 {
        connection.end_for_mistake(DisconnectReason::TransportError, "a POST of bytes, which Engine.IO 4 has not");
        return text_response(StatusCode::BAD_REQUEST, String::new());
    }
    let mut charge = ReceivedCharge::input(&connection.received);
    let mut body = request.into_body();
    let whole = match read(connection, &mut body, &mut charge).await {
        Ok(whole) => whole,
        Err(Unread::TooLarge) => return text_response(StatusCode::PAYLOAD_TOO_LARGE, String::new()),
        Err(Unread::Broken) => {
            connection.lose(DisconnectReason::TransportError);
            return text_response(StatusCode::BAD_REQUEST, String::new());
        }
    };
    match std::str::from_utf8(&whole) {
        _ if is_binary => take(connection, Packets::of_bytes(&whole)).await,
        Ok(form) if connection.handshake.jsonp.is_some() => {
            // A form without a payload is empty, as in Node.
            if let Some(text) = jsonp::payload(form) {
                charge.resize(whole.len() + text.len());
                take(connection, Packets::of_text(&text, connection.protocol)).await;
            }
        }
        Ok(text) => take(connection, Packets::of_text(text, connection.protocol)).await,
        Err(_) => connection.end_for_mistake(DisconnectReason::ParseError, NO_PAYLOAD),
    }
    let mut response = text_response(StatusCode::OK, "ok".to_owned());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// The log's words for a body that is no payload.
const NO_PAYLOAD: &str = "a POST that is no payload of Engine.IO";

/// Why a body could not be read.
enum Unread {
    /// It is longer than `limits.payload-bytes`.
    TooLarge,
    /// The request broke off, or took too long.
    Broken,
}

/// The most bytes of a body that are looked at after the connection has ended: enough for a CLOSE.
const GOODBYE: usize = 64;

/// Reads a body, which must come within `server.ping-timeout`. The time in which the server does not read, since there
/// is no room for more input, does not count. After the connection has ended, a body is read and dropped.
async fn read(connection: &Arc<Connection>, body: &mut Body, charge: &mut ReceivedCharge) -> Result<Vec<u8>, Unread> {
    let most = connection.shared.settings.max_payload.get();
    let (mut bytes, mut len) = (Vec::new(), 0);
    let mut intake = Intake::default();
    let mut deadline = Instant::now() + connection.shared.settings.ping_timeout;
    loop {
        let asked = Instant::now();
        intake.ready(connection).await;
        deadline += asked.elapsed();
        let is_closed = connection.is_closed();
        if is_closed && connection.output().is_closed() {
            return Err(Unread::Broken);
        }
        let frame = timeout_at(deadline, body.frame()).await.map_err(|_| Unread::Broken)?;
        let Some(frame) = frame else { return Ok(bytes) };
        let frame = frame.map_err(|_| Unread::Broken)?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        len += data.len();
        if len > most {
            return Err(Unread::TooLarge);
        }
        if is_closed && len > GOODBYE {
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(data);
        }
        charge.resize(bytes.len());
    }
}

/// Takes packets in, each when there is room for it and a token.
async fn take(connection: &Arc<Connection>, packets: Packets<'_>) {
    let mut intake = Intake::default();
    for packet in packets {
        let flow = match packet {
            packet if connection.is_closed() => {
                // The client will not fetch what is unsent.
                if packet == Ok(Packet::Text("1")) {
                    connection.forget();
                }
                ControlFlow::Continue(())
            }
            // Skipped, as in Node.
            Ok(Packet::Text("")) => ControlFlow::Continue(()),
            Ok(Packet::Text(text)) => connection.take_text(text),
            Ok(Packet::Binary(data)) => connection.take_binary(data),
            Err(payload::NotAPayload) => {
                connection.end_for_mistake(DisconnectReason::ParseError, NO_PAYLOAD);
                ControlFlow::Continue(())
            }
        };
        if flow.is_break() {
            return;
        }
        if !intake.took(connection) {
            intake.ready(connection).await;
        }
    }
}

/// A response with a text that no cache may store.
pub(super) fn text_response(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
