//! Responses: the shape and codes of replies on sockets, and a status for each code.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

use crate::{
    error::{Code, Error},
    protocol::Reply,
};

/// Retry-After in seconds, where no exact time is known.
const TRY_AGAIN: HeaderValue = HeaderValue::from_static("1");

/// WWW-Authenticate (RFC 6750, section 3).
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");

/// What a handler returns: the reply's `data`, or the error.
pub(super) type Answer<T> = Result<Done<T>, Failed>;

/// Success: 200 and `{ "success": true, "data": ... }`.
pub(super) struct Done<T>(pub(super) T);

/// Something was created: 201, and the same body as [`Done`].
pub(super) struct Created<T>(pub(super) T);

/// Failure: the code's status and `{ "success": false, "error": ... }`.
pub(super) struct Failed(pub(super) Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl<T: Serialize> IntoResponse for Done<T> {
    fn into_response(self) -> Response {
        Json(Reply::Done { success: true, data: self.0 }).into_response()
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Done(self.0)).into_response()
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let status = status(error.code());
        let mut response = (status, Json(Reply::<()>::failed(&error))).into_response();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(RETRY_AFTER, TRY_AGAIN);
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, BEARER);
        }
        // Logged where the request's id is known.
        response.extensions_mut().insert(Arc::new(error));
        response
    }
}

/// Too many requests, with the time to wait.
pub(super) fn too_fast(wait: Duration) -> Response {
    let error = Error::RateLimited("too many requests (api.requests-per-second)".to_owned());
    let mut response = Failed(error).into_response();
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
    response
}

/// The status of a code.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::BadPayload => StatusCode::BAD_REQUEST,
        Code::Unauthorized | Code::TokenExpired => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound | Code::UnknownEvent => StatusCode::NOT_FOUND,
        Code::Conflict => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}
