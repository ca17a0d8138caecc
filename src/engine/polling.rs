//! Long polling: a GET waits for packets, a POST brings some.

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
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{
    DisconnectReason, Protocol,
    link::Link,
    output::{Request as Waiting, Transport},
    payload::{self, Packet},
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
    plain(StatusCode::OK, payload)
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
    let most = link.engine.settings.max_payload.get();
    // What is too large is read up to the limit before it is answered: a client that has sent little more finds the
    // answer, and no reset.
    let body = Limited::new(request.into_body(), most).collect();
    let body = match tokio::time::timeout(link.engine.settings.ping_timeout, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return too_large(),
        Ok(Err(_)) | Err(_) => {
            link.lose(DisconnectReason::TransportError);
            return plain(StatusCode::BAD_REQUEST, String::new());
        }
    };
    let packets = if is_binary {
        payload::decode_v3_binary(&body)
    } else {
        std::str::from_utf8(&body)
            .map_err(|_| payload::NotAPayload)
            .and_then(|text| payload::decode(text, link.protocol))
    };
    match packets {
        Ok(packets) => take(link, packets),
        Err(payload::NotAPayload) => link.end(DisconnectReason::ParseError, None),
    }
    let mut response = plain(StatusCode::OK, "ok".to_owned());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

fn take(link: &Arc<Link>, packets: Vec<Packet>) {
    for packet in packets {
        let flow = match packet {
            Packet::Text(text) => link.take_text(&text),
            Packet::Binary(data) => link.take_binary(data),
        };
        if flow == ControlFlow::Break(()) {
            break;
        }
    }
}

fn too_large() -> Response {
    plain(StatusCode::PAYLOAD_TOO_LARGE, String::new())
}

/// A packet's text as a body, never to be kept by anybody on the way.
pub(super) fn plain(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
