//! Responses as Pusher's libraries expect them: 200 with a JSON object, or another status with plain text.

use std::sync::Arc;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde::Serialize;

use crate::{error::Error, http::status};

/// The result of a handler.
pub(super) type PusherResult<T> = Result<Json<T>, PusherError>;

/// An empty object.
#[derive(Serialize)]
pub(super) struct Empty {}

/// An error: the status of its code, with the message as the body.
pub(super) struct PusherError(pub(super) Error);

impl From<Error> for PusherError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for PusherError {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let status = status(error.code());
        let mut response = (status, error.to_string()).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // `http/layers.rs` logs the error, together with the request's id.
        response.extensions_mut().insert(Arc::new(error));
        response
    }
}
