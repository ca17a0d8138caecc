//! Answers as Pusher's libraries expect them: an object with 200, a sentence with anything else.

use std::sync::Arc;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde::Serialize;

use crate::{error::Error, http::status};

/// What a call returns.
pub(super) type Answer<T> = Result<Json<T>, Refused>;

/// The object without fields, where there is nothing to say.
#[derive(Serialize)]
pub(super) struct Nothing {}

/// The status of the error's code, and its sentence.
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
