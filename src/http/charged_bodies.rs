//! Charges the bodies of requests and responses against `limits.memory` while the server holds them.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, HttpBody},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, header::CONNECTION};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

use super::response::ApiError;
use crate::{
    app::App,
    engine::{Account, Charge, MemoryKind},
    error::Error,
};

/// The charge for one request's body, held until the request is answered.
pub(super) struct RequestCharge {
    charge: Mutex<Charge>,
    is_refused: AtomicBool,
}

impl RequestCharge {
    /// An empty charge.
    pub(super) fn new(app: &App) -> Arc<Self> {
        let charge = Mutex::new(Charge::new(&app.memory, MemoryKind::Http, 0));
        Arc::new(Self { charge, is_refused: AtomicBool::new(false) })
    }

    /// Wraps the request's body. Reading it fails if the memory limit is reached.
    pub(super) fn body(self: &Arc<Self>, body: Body) -> Body {
        Body::new(ChargedBody { body, side: Side::Request(self.clone()) })
    }

    /// Wraps the response. It becomes 503 if the memory limit is reached.
    pub(super) fn response(&self, app: &App, response: Response) -> Response {
        let announced = response.body().size_hint().lower() as usize;
        let has_room = !self.is_refused.load(Ordering::Relaxed) && app.memory.takes_body(0, announced);
        let response = if has_room { response } else { refusal(app) };
        response.map(|body| Body::new(ChargedBody { body, side: Side::Response(app.memory.clone()) }))
    }

    /// Charges more bytes. False if the memory limit is reached.
    fn takes(&self, more: usize) -> bool {
        let mut charge = self.charge.lock();
        let bytes = charge.bytes();
        let is_taken = charge.account().takes_body(bytes, more);
        if is_taken {
            charge.resize(bytes + more);
        } else {
            self.is_refused.store(true, Ordering::Relaxed);
        }
        is_taken
    }
}

fn refusal(app: &App) -> Response {
    app.metrics.limited("memory");
    let error = Error::unavailable("the server holds too much at the moment (limits.memory)");
    let mut response = ApiError(error).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A body whose data is charged as it is read.
struct ChargedBody {
    body: Body,
    side: Side,
}

/// Whose body it is.
enum Side {
    /// A request's: the data is charged until the request is answered.
    Request(Arc<RequestCharge>),
    /// A response's: each chunk is charged until it has been written.
    Response(Arc<Account>),
}

impl HttpBody for ChargedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let data = match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => data,
                Err(other) => return Poll::Ready(Some(Ok(other))),
            },
            end => return Poll::Ready(end),
        };
        Poll::Ready(Some(match &self.side {
            Side::Request(charge) if !charge.takes(data.len()) => Err(axum::Error::new(Error::unavailable("no room"))),
            Side::Request(_) => Ok(Frame::data(data)),
            Side::Response(account) => Ok(Frame::data(Charge::new(account, MemoryKind::Http, data.len()).hold(data))),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
