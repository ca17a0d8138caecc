//! The responses of the API: the same bodies and error codes as on sockets, with a status for each code.

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

/// Retry-After in seconds, if the exact time is unknown.
const TRY_AGAIN: HeaderValue = HeaderValue::from_static("1");

/// WWW-Authenticate (RFC 6750, section 3).
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");

/// The result of a handler: the `data` of the response, or the error.
pub(super) type ApiResult<T> = Result<Done<T>, ApiError>;

/// Success: 200 and `{ "success": true, "data": ... }`.
pub(super) struct Done<T>(pub(super) T);

/// Success that created something: 201, and the same body as [`Done`].
pub(super) struct Created<T>(pub(super) T);

/// Failure: the code's status and `{ "success": false, "error": ... }`.
pub(super) struct ApiError(pub(super) Error);

impl From<Error> for ApiError {
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

impl IntoResponse for ApiError {
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
        // `layers` logs the error, together with the request's id.
        response.extensions_mut().insert(Arc::new(error));
        response
    }
}

/// 429, with the time to wait in Retry-After.
pub(super) fn too_fast(wait: Duration) -> Response {
    let error = Error::RateLimited("too many requests (api.requests-per-second)".to_owned());
    let mut response = ApiError(error).into_response();
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
    response
}

/// The status of a code.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::BadPayload | Code::Custom => StatusCode::BAD_REQUEST,
        Code::Unauthorized | Code::TokenExpired => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound | Code::UnknownEvent => StatusCode::NOT_FOUND,
        Code::Conflict => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}
