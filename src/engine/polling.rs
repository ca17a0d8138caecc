//! Long polling: a GET (a poll) waits for packets of the server, a POST sends packets of the client.

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
    memory::{Charge, MemoryKind, ReceivedCharge},
    output::{PollState, Transport, UpgradeState},
    payload::{self, Packet, Packets},
    reason::DisconnectReason,
    request_error::RequestError,
    version::Protocol,
};

/// Answers a GET as soon as there are unsent packets.
pub(super) async fn get(connection: &Arc<Connection>) -> Response {
    let (is_alone, is_upgrading) = match connection.output().transport() {
        Transport::Polling { poll, upgrade } => {
            let is_alone = matches!(poll, PollState::None);
            if is_alone {
                *poll = PollState::Waiting(None);
            }
            (is_alone, *upgrade != UpgradeState::None)
        }
        Transport::Closing(_) => (true, false),
        Transport::WebSocket(_) | Transport::Closed => return RequestError::BadRequest.as_json(),
    };
    if !is_alone {
        connection.end_for_mistake(DisconnectReason::TransportError, "a second GET while one waits");
        return text_response(StatusCode::BAD_REQUEST, String::new());
    }
    // If the client aborts the request while it waits, this is dropped, which ends the connection.
    let mut waiting_get = WaitingGet(Some(connection));
    let payload = poll_fn(|cx| connection.poll_payload(cx)).await;
    waiting_get.0 = None;
    let payload = match payload {
        Some(payload) => payload,
        // The connection was upgraded while the GET waited. The answer is that of a GET after the upgrade.
        None if is_upgrading => return RequestError::BadRequest.as_json(),
        None => connection.close_payload(),
    };
    let body = match &connection.request.jsonp {
        Some(callback) => callback.script(&payload),
        None => payload,
    };
    let charge = Charge::new(&connection.shared.account, MemoryKind::Http, body.len());
    text_response(StatusCode::OK, charge.hold(body.into()))
}

/// A waiting GET. Aborts the connection if it is dropped before it is answered.
struct WaitingGet<'a>(Option<&'a Arc<Connection>>);

impl Drop for WaitingGet<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            // After an upgrade the connection does not need the GET.
            if !connection.output().is_websocket() {
                connection.abort(DisconnectReason::TransportError);
            }
        }
    }
}

/// Answers a POST after all packets of its body were processed.
pub(super) async fn post(connection: &Arc<Connection>, request: Request<Body>) -> Response {
    {
        let mut output = connection.output();
        let is_closing = output.has_final_packets();
        match output.transport() {
            Transport::Polling { .. } => {}
            Transport::WebSocket(_) => return RequestError::BadRequest.as_json(),
            // The client cannot know yet that the connection has ended, so the POST succeeds and its packets are
            // ignored.
            Transport::Closing(_) if is_closing => {}
            Transport::Closing(_) | Transport::Closed => return RequestError::UnknownSession.as_json(),
        }
    }
    if connection.is_posting.swap(true, Ordering::Relaxed) {
        connection.end_for_mistake(DisconnectReason::TransportError, "a second POST while one is read");
        return text_response(StatusCode::BAD_REQUEST, String::new());
    }
    // If the client aborts the request while its body is read or processed, this is dropped, which ends the connection.
    let mut post = PostInProgress { connection, is_done: false };
    let response = process_body(connection, request).await;
    post.is_done = true;
    drop(post);
    response
}

/// A POST that is being processed. Aborts the connection if it is dropped before it is done.
struct PostInProgress<'a> {
    connection: &'a Arc<Connection>,
    is_done: bool,
}

impl Drop for PostInProgress<'_> {
    fn drop(&mut self) {
        self.connection.is_posting.store(false, Ordering::Relaxed);
        if !self.is_done {
            self.connection.abort(DisconnectReason::TransportError);
        }
    }
}

/// Reads the body of a POST and processes its packets.
async fn process_body(connection: &Arc<Connection>, request: Request<Body>) -> Response {
    let is_binary = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream");
    if is_binary && connection.protocol == Protocol::V4 {
        connection
            .end_for_mistake(DisconnectReason::TransportError, "a POST of bytes, which Engine.IO 4 does not have");
        return text_response(StatusCode::BAD_REQUEST, String::new());
    }
    let mut charge = ReceivedCharge::input(&connection.received);
    let mut body = request.into_body();
    let whole = match read(connection, &mut body, &mut charge).await {
        Ok(whole) => whole,
        Err(BodyError::TooLarge) => return text_response(StatusCode::PAYLOAD_TOO_LARGE, String::new()),
        Err(BodyError::Broken) => {
            connection.abort(DisconnectReason::TransportError);
            return text_response(StatusCode::BAD_REQUEST, String::new());
        }
    };
    match std::str::from_utf8(&whole) {
        _ if is_binary => process_packets(connection, Packets::of_bytes(&whole)).await,
        Ok(form) if connection.request.jsonp.is_some() => {
            // A form without a payload counts as an empty payload, as in Node.
            if let Some(text) = jsonp::payload(form) {
                charge.resize(whole.len() + text.len());
                process_packets(connection, Packets::of_text(&text, connection.protocol)).await;
            }
        }
        Ok(text) => process_packets(connection, Packets::of_text(text, connection.protocol)).await,
        Err(_) => connection.end_for_mistake(DisconnectReason::ParseError, NO_PAYLOAD),
    }
    let mut response = text_response(StatusCode::OK, "ok".to_owned());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// The text for the log about a body that is not a payload.
const NO_PAYLOAD: &str = "a POST that is no payload of Engine.IO";

/// Why a body could not be read.
enum BodyError {
    /// It is longer than `limits.payload-bytes`.
    TooLarge,
    /// The request was aborted, or took too long.
    Broken,
}

/// Maximum number of bytes of a body that is still processed after the connection has ended. It is enough for a CLOSE.
const CLOSED_BODY_MAX: usize = 64;

/// Reads a body, which must arrive within `server.ping-timeout`. The time in which the server does not read, because
/// there is no room for more input, does not count. After the connection has ended, a body is read and discarded.
async fn read(
    connection: &Arc<Connection>,
    body: &mut Body,
    charge: &mut ReceivedCharge,
) -> Result<Vec<u8>, BodyError> {
    let most = connection.shared.settings.max_payload.get();
    let (mut bytes, mut len) = (Vec::new(), 0);
    let mut intake = Intake::default();
    let mut deadline = Instant::now() + connection.shared.settings.ping_timeout;
    loop {
        let since = Instant::now();
        intake.ready(connection).await;
        deadline += since.elapsed();
        let is_closed = connection.is_closed();
        if is_closed && connection.output().is_closed() {
            return Err(BodyError::Broken);
        }
        let frame = timeout_at(deadline, body.frame()).await.map_err(|_| BodyError::Broken)?;
        let Some(frame) = frame else { return Ok(bytes) };
        let frame = frame.map_err(|_| BodyError::Broken)?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        len += data.len();
        if len > most {
            return Err(BodyError::TooLarge);
        }
        if is_closed && len > CLOSED_BODY_MAX {
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(data);
        }
        charge.resize(bytes.len());
    }
}

/// Processes packets, each when there is room for it and a token of the rate limit.
async fn process_packets(connection: &Arc<Connection>, packets: Packets<'_>) {
    let mut intake = Intake::default();
    for packet in packets {
        let flow = match packet {
            packet if connection.is_closed() => {
                // After its CLOSE, the client does not fetch the unsent packets.
                if packet == Ok(Packet::Text("1")) {
                    connection.discard_last_packets();
                }
                ControlFlow::Continue(())
            }
            // Skipped, as in Node.
            Ok(Packet::Text("")) => ControlFlow::Continue(()),
            Ok(Packet::Text(text)) => connection.process_text(text),
            Ok(Packet::Binary(data)) => connection.process_binary(data),
            Err(payload::NotAPayload) => {
                connection.end_for_mistake(DisconnectReason::ParseError, NO_PAYLOAD);
                ControlFlow::Continue(())
            }
        };
        if flow.is_break() {
            return;
        }
        if !intake.packet_processed(connection) {
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
