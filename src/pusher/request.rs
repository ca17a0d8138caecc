//! Signed requests. The signature covers a digest of the body, so it is checked before the body is read.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::{
    response::PusherError,
    signature::{Params, decoded},
};
use crate::{
    app::{App, Call},
    error::{Error, Result},
    http::{json, whole},
    model::Timestamp,
};

/// A request with a valid signature.
pub(super) struct SignedRequest {
    pub(super) params: Params,
    body: Bytes,
    /// The shutdown waits until it is dropped.
    _call: Call,
}

impl SignedRequest {
    /// The body, read as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        json(&self.body)
    }

    async fn take(app: &App, parts: &Parts, body: Body) -> Result<Self> {
        let (params, call) = authenticate(app, parts)?;
        let body = whole(app, body).await.map_err(|failure| failure.error)?;
        params.verify_body(&body)?;
        Ok(Self { params, body, _call: call })
    }
}

impl FromRequest<Arc<App>> for SignedRequest {
    type Rejection = PusherError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, PusherError> {
        let (parts, body) = request.into_parts();
        Self::take(app, &parts, body).await.map_err(|error| {
            if matches!(error, Error::Unauthorized(_)) && app.refusal_lines.check().is_ok() {
                tracing::info!(%error, "a request to Pusher's API was refused");
            }
            error.into()
        })
    }
}

/// The parameters of a request to the configured app.
fn authenticate(app: &App, parts: &Parts) -> Result<(Params, Call)> {
    let live = app.live();
    let pusher = &live.pusher;
    let path = decoded(parts.uri.path())?;
    // If the path does not name an app, the key in the query does.
    let named = path.strip_prefix("/apps/").and_then(|path| path.split('/').next());
    let is_this_app = named.is_none_or(|app| app == pusher.app_id);
    if pusher.app_id.is_empty() || !is_this_app {
        return Err(Error::NotFound("there is no such app (pusher.app-id)".to_owned()));
    }
    let call = app.calls().begin()?;
    let params = Params::parse(parts.uri.query().unwrap_or_default())?;
    params.verify(pusher, &parts.method, &path, Timestamp::now())?;
    Ok((params, call))
}
