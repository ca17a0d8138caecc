//! Reads the rest of a refused request's body before the response is sent, as Node does. A client that is still sending
//! may not read the response, and a connection with unread bytes cannot serve another request.

use std::{sync::Arc, time::Duration};

use ::http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, EXPECT},
};
use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http_body_util::{BodyExt, Limited};
use tokio::sync::oneshot;

use crate::{app::App, config::LimitsConfig, http::BodyWithRest};

/// How long the client may take to send the rest.
const PATIENCE: Duration = Duration::from_secs(5);
/// At most this many times `limits.payload-bytes` are read.
const TIMES: usize = 10;

/// Reads the rest of the body, and keeps the connection. If the rest is too long or comes too slowly, the connection is
/// closed after the response.
pub(super) async fn read_rest(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // With `Expect: 100-continue`, the client sends nothing before the body is read.
    let waits_for_read = request.headers().contains_key(EXPECT);
    let (give_back, mut given_back) = oneshot::channel();
    let give_back = move |rest, was_read| {
        // If the request was cancelled, the receiver is gone.
        drop(give_back.send((rest, was_read || !waits_for_read)));
    };
    let mut response = next.run(request.map(|body| Body::new(BodyWithRest::new(body, give_back)))).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let Ok((rest, is_sent)) = given_back.try_recv() else { return response };
    let most = LimitsConfig::or_none(app.limits.config().payload_bytes).saturating_mul(TIMES);
    if !is_sent || !discard(rest, most).await {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads a body to its end and discards it. False if it has more than `most` bytes, fails, or exceeds the time limit.
async fn discard(body: Body, most: usize) -> bool {
    let mut body = Limited::new(body, most);
    let whole = async {
        loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return false,
                None => return true,
            }
        }
    };
    tokio::time::timeout(PATIENCE, whole).await.unwrap_or(false)
}
