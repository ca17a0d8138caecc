//! What a request brings, taken as axum takes it; what is wrong with it is answered as everything else is.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use super::answer::Failed;
use crate::{
    app::App,
    config::LimitsConfig,
    error::{Error, Result},
};

/// The parts of the path that are names, percent-decoded.
pub(super) struct Path<T>(pub(super) T);

/// The query.
pub(super) struct Query<T>(pub(super) T);

/// The body, whatever its Content-Type says. No larger than an event may be.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(rejection) => Err(Failed(Error::BadPayload(rejection.body_text()))),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Failed(Error::BadPayload(rejection.body_text()))),
        }
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failed> {
        let most = LimitsConfig::or_none(app.limits.config().payload_bytes);
        let body = axum::body::to_bytes(request.into_body(), most).await.map_err(|error| {
            let is_too_large = std::error::Error::source(&error).is_some_and(|source| source.is::<LengthLimitError>());
            if is_too_large {
                app.metrics.limited("payload-bytes");
                return Error::TooLarge(format!("more than {most} bytes are too many (limits.payload-bytes)"));
            }
            Error::BadPayload("the body broke off".to_owned())
        })?;
        serde_json::from_slice(&body).map(Self).map_err(|error| Failed(Error::BadPayload(error.to_string())))
    }
}
