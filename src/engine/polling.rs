//! Long polling: a GET waits for packets, a POST brings some.

use std::{
    future::poll_fn,
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
    task::Poll,
};

use axum::{body::Body, response::Response};
use http::{
    HeaderValue, Request, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{
    DisconnectReason, Protocol,
    link::{Intake, Link},
    output::{Request as Waiting, Transport},
    payload::{self, Packet, Packets},
    pressure::{Charge, Kind, ReceivedCharge},
    requests::{Refusal, refuse},
};

/// The answer to a GET.
pub(super) async fn get(link: &Arc<Link>) -> Response {
    let is_alone = match link.output().transport() {
        Transport::Polling { request, .. } => {
            let is_alone = matches!(request, Waiting::None);
            if is_alone {
                *request = Waiting::Waiting(None);
            }
            is_alone
        }
        Transport::Closing(_) => true,
        Transport::WebSocket(_) | Transport::Closed => return refuse(Refusal::BadRequest),
    };
    if !is_alone {
        link.end(DisconnectReason::TransportError, None);
        return plain(StatusCode::BAD_REQUEST, String::new());
    }
    // If the client hangs up while it waits, this is dropped, and so is the link.
    let mut waiting = HangsUp(Some(link));
    let payload = poll_fn(|cx| link.poll_payload(cx)).await;
    waiting.0 = None;
    let charge = Charge::new(&link.engine.account, Kind::Http, payload.len());
    plain(StatusCode::OK, charge.hold(payload.into()))
}

struct HangsUp<'a>(Option<&'a Arc<Link>>);

impl Drop for HangsUp<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.0 {
            // An upgrade may have let it go in the meantime.
            if !link.output().is_websocket() {
                link.lose(DisconnectReason::TransportError);
            }
        }
    }
}

/// The answer to a POST. What the body holds has been taken in by then.
pub(super) async fn post(link: &Arc<Link>, request: Request<Body>) -> Response {
    match link.output().transport() {
        Transport::Polling { .. } => {}
        Transport::WebSocket(_) => return refuse(Refusal::BadRequest),
        Transport::Closing(_) | Transport::Closed => return refuse(Refusal::UnknownSession),
    }
    if link.is_posting.swap(true, Ordering::Relaxed) {
        link.end(DisconnectReason::TransportError, None);
        return plain(StatusCode::BAD_REQUEST, String::new());
    }
    let response = take_body(link, request).await;
    link.is_posting.store(false, Ordering::Relaxed);
    response
}

async fn take_body(link: &Arc<Link>, request: Request<Body>) -> Response {
    let is_binary = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream");
    if is_binary && link.protocol == Protocol::V4 {
        link.end(DisconnectReason::TransportError, None);
        return plain(StatusCode::BAD_REQUEST, String::new());
    }
    let mut charge = ReceivedCharge::input(&link.received);
    let body = read(link, request.into_body(), &mut charge);
    let body = match tokio::time::timeout(link.engine.settings.ping_timeout, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(Unread::TooLarge)) => return too_large(),
        Ok(Err(Unread::Broken)) | Err(_) => {
            link.lose(DisconnectReason::TransportError);
            return plain(StatusCode::BAD_REQUEST, String::new());
        }
    };
    let packets = match std::str::from_utf8(&body) {
        _ if is_binary => Some(Packets::of_bytes(&body)),
        Ok(text) => Some(Packets::of_text(text, link.protocol)),
        Err(_) => None,
    };
    match packets {
        Some(packets) => take(link, packets).await,
        None => link.end(DisconnectReason::ParseError, None),
    }
    let mut response = plain(StatusCode::OK, "ok".to_owned());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// Why there is no body.
enum Unread {
    TooLarge,
    Broken,
}

/// Reads a body. While there is no room for more of it, its client waits. What is too large is read up to the limit
/// before it is answered: a client that has sent little more finds the answer, and no reset.
async fn read(link: &Arc<Link>, body: Body, charge: &mut ReceivedCharge) -> Result<Vec<u8>, Unread> {
    let mut body = Limited::new(body, link.engine.settings.max_payload.get());
    let mut bytes = Vec::new();
    let mut intake = Intake::default();
    loop {
        poll_fn(|cx| if link.is_closed() { Poll::Ready(()) } else { intake.poll_ready(link, cx) }).await;
        if link.is_closed() {
            return Err(Unread::Broken);
        }
        match body.frame().await {
            None => return Ok(bytes),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    bytes.extend_from_slice(data);
                    charge.resize(bytes.len());
                }
            }
            Some(Err(error)) if error.is::<LengthLimitError>() => return Err(Unread::TooLarge),
            Some(Err(_)) => return Err(Unread::Broken),
        }
    }
}

/// Takes packets in, each when there is room for it.
async fn take(link: &Arc<Link>, packets: Packets<'_>) {
    let mut intake = Intake::default();
    for packet in packets {
        let flow = match packet {
            // Node passes it over.
            Ok(Packet::Text("")) => ControlFlow::Continue(()),
            Ok(Packet::Text(text)) => link.take_text(text),
            Ok(Packet::Binary(data)) => link.take_binary(data),
            Err(payload::NotAPayload) => return link.end(DisconnectReason::ParseError, None),
        };
        if flow.is_break() || link.is_closed() {
            return;
        }
        if !intake.took(link) {
            poll_fn(|cx| if link.is_closed() { Poll::Ready(()) } else { intake.poll_ready(link, cx) }).await;
        }
    }
}

fn too_large() -> Response {
    plain(StatusCode::PAYLOAD_TOO_LARGE, String::new())
}

/// A packet's text as a body, never to be kept by anybody on the way.
pub(super) fn plain(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
