//! Responses as Pusher's libraries expect them: an object with 200, plain text with any other status.

use std::sync::Arc;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde::Serialize;

use crate::{error::Error, http::status};

/// The result of a call.
pub(super) type Answer<T> = Result<Json<T>, Refused>;

/// An empty object.
#[derive(Serialize)]
pub(super) struct Nothing {}

/// The status for an error's code, and its message as the body.
pub(super) struct Refused(pub(super) Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let status = status(error.code());
        let mut response = (status, error.to_string()).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // Logged where the request's id is known.
        response.extensions_mut().insert(Arc::new(error));
        response
    }
}
