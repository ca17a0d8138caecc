//! axum extractors for path, query and JSON body, whose errors have the form of all other errors of the API.

use std::sync::Arc;

use axum::{
    body::{Body, HttpBody},
    extract::{FromRequest, FromRequestParts, Request, path::ErrorKind, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_TYPE},
    request::Parts,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::response::ApiError;
use crate::{
    app::App,
    config::LimitsConfig,
    error::{Error, Result},
    input,
};

/// Parameters of the path, percent-decoded.
pub(super) struct Path<T>(pub(super) T);

/// The query string.
pub(super) struct Query<T>(pub(super) T);

/// A JSON body of at most `limits.payload-bytes`.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(rejection) => Err(ApiError(Error::BadPayload(sentence(&rejection)))),
        }
    }
}

/// The error for an invalid path parameter.
fn sentence(rejection: &PathRejection) -> String {
    let PathRejection::FailedToDeserializePathParams(failed) = rejection else {
        return "the path cannot be read".to_owned();
    };
    match failed.kind() {
        // The message is that of our own type's `Deserialize`.
        ErrorKind::DeserializeError { key, message, .. } => format!("{key}: {message}"),
        ErrorKind::Message(message) => message.clone(),
        ErrorKind::InvalidUtf8InPathParam { key } => format!("{key} must be UTF-8"),
        _ => "the path cannot be read".to_owned(),
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = input::read_query(parts.uri.query().unwrap_or_default());
        query.map(Self).map_err(|sentence| ApiError(Error::BadPayload(sentence)))
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let text = body(request, app).await?;
        json(&text).map(Self).map_err(|error| ApiError(error).into_response())
    }
}

/// A body, read as JSON.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(body).map_err(|_| Error::BadPayload("the body must be UTF-8".to_owned()))?;
    input::read_strictly(text, "the body").map_err(Error::BadPayload)
}

/// Reads a JSON body to its end. Too slow a body is answered 408.
async fn body(request: Request, app: &App) -> Result<Bytes, Response> {
    if !is_json(request.headers()) {
        let error = Error::BadPayload("the body must be JSON, with Content-Type: application/json".to_owned());
        return Err(ApiError(error).into_response());
    }
    whole(app, request.into_body()).await.map_err(|BodyError { error, is_too_slow }| {
        let mut response = ApiError(error).into_response();
        if is_too_slow {
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    })
}

/// Why a body could not be read.
pub(crate) struct BodyError {
    pub(crate) error: Error,
    is_too_slow: bool,
}

impl From<Error> for BodyError {
    fn from(error: Error) -> Self {
        Self { error, is_too_slow: false }
    }
}

/// Reads a body to its end: at most `limits.payload-bytes`, within `server.ping-timeout`. If Content-Length exceeds the
/// limit, nothing is read.
pub(crate) async fn whole(app: &App, body: Body) -> Result<Bytes, BodyError> {
    let most = LimitsConfig::or_none(app.limits.config().payload_bytes);
    let too_large = || {
        app.metrics.limited("payload-bytes");
        Error::TooLarge(format!("more than {most} bytes are too many (limits.payload-bytes)"))
    };
    if body.size_hint().lower() > most as u64 {
        return Err(too_large().into());
    }
    match tokio::time::timeout(app.config.server.ping_timeout, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large().into()),
        Ok(Err(_)) => Err(Error::BadPayload("the body broke off".to_owned()).into()),
        Err(_) => Err(BodyError { error: Error::BadPayload("the body came too slowly".to_owned()), is_too_slow: true }),
    }
}

/// Whether the content type is `application/json`, or another type with the suffix `+json` (RFC 6839, section 3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}
