//! Bodies of requests and responses, charged while the server holds them (`limits.memory`).

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

use super::answer::Failed;
use crate::{
    app::App,
    engine::{Account, Charge, Kind},
    error::Error,
};

/// The charge for one request's body, held until the request is answered.
pub(super) struct Held {
    charge: Mutex<Charge>,
    is_refused: AtomicBool,
}

impl Held {
    /// An empty charge.
    pub(super) fn new(app: &App) -> Arc<Self> {
        let charge = Mutex::new(Charge::new(&app.memory, Kind::Http, 0));
        Arc::new(Self { charge, is_refused: AtomicBool::new(false) })
    }

    /// Wraps the request's body; reading it fails where memory is used up.
    pub(super) fn body(self: &Arc<Self>, body: Body) -> Body {
        Body::new(Charged { body, to: To::Request(self.clone()) })
    }

    /// Wraps the response; it becomes 503 where memory is used up.
    pub(super) fn response(&self, app: &App, response: Response) -> Response {
        let announced = response.body().size_hint().lower() as usize;
        let has_room = !self.is_refused.load(Ordering::Relaxed) && app.memory.takes_body(0, announced);
        let response = if has_room { response } else { refusal(app) };
        response.map(|body| Body::new(Charged { body, to: To::Response(app.memory.clone()) }))
    }

    /// Charges more bytes; false where memory is used up.
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
    let mut response = Failed(error).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A body whose data is charged as it passes.
struct Charged {
    body: Body,
    to: To,
}

enum To {
    Request(Arc<Held>),
    /// Each piece is charged until it has been written.
    Response(Arc<Account>),
}

impl HttpBody for Charged {
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
        Poll::Ready(Some(match &self.to {
            To::Request(held) if !held.takes(data.len()) => Err(axum::Error::new(Error::unavailable("no room"))),
            To::Request(_) => Ok(Frame::data(data)),
            To::Response(account) => Ok(Frame::data(Charge::new(account, Kind::Http, data.len()).hold(data))),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
