//! Reads the rest of a refused request's body before the response is sent, as Node does: a client that is still sending
//! may not read the response, and a connection with unread bytes cannot serve another request.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ::http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, EXPECT},
};
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use tokio::sync::oneshot;

use crate::{app::App, config::LimitsConfig};

/// How long the client may take to send the rest.
const PATIENCE: Duration = Duration::from_secs(5);
/// Up to this many times `limits.payload-bytes` are read.
const TIMES: usize = 10;

/// Reads the rest of the body, then keeps the connection; closes it behind the response if the body is too long or
/// slow.
pub(super) async fn drain(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // With `Expect: 100-continue`, the client sends nothing before the body is read.
    let is_coming = !request.headers().contains_key(EXPECT);
    let (give_back, mut given_back) = oneshot::channel();
    let request = request.map(|body| Body::new(Lent { rest: Some(Rest { body, is_coming }), to: Some(give_back) }));
    let mut response = next.run(request).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let Ok(rest) = given_back.try_recv() else { return response };
    let most = LimitsConfig::or_none(app.limits.config().payload_bytes).saturating_mul(TIMES);
    if !rest.throw_away(most).await {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The unread rest of a body.
struct Rest {
    body: Body,
    /// Whether the client sends the body at all.
    is_coming: bool,
}

impl Rest {
    /// Reads the rest, up to so many bytes and within the time limit. True where all of it was read.
    async fn throw_away(self, most: usize) -> bool {
        if !self.is_coming {
            return false;
        }
        let mut body = Limited::new(self.body, most);
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
}

/// A body whose rest is handed back if it is dropped before its end.
struct Lent {
    /// None once it has ended or failed.
    rest: Option<Rest>,
    to: Option<oneshot::Sender<Rest>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        rest.is_coming = true;
        let frame = Pin::new(&mut rest.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.rest = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(|rest| rest.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), |rest| rest.body.size_hint())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(rest), Some(to)) = (self.rest.take(), self.to.take())
            && !rest.body.is_end_stream()
        {
            // Where the request was given up, nobody waits for it.
            drop(to.send(rest));
        }
    }
}
