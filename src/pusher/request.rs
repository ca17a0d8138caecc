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
    answer::Refused,
    signature::{Params, decoded},
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{json, whole},
    model::Timestamp,
};

/// A request with a valid signature.
pub(super) struct Signed {
    pub(super) params: Params,
    body: Bytes,
}

impl Signed {
    /// The body, read as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        json(&self.body)
    }

    async fn take(app: &App, parts: &Parts, body: Body) -> Result<Self> {
        let params = authenticate(app, parts)?;
        let body = whole(app, body).await.map_err(|unread| unread.error)?;
        params.verify_body(&body)?;
        Ok(Self { params, body })
    }
}

impl FromRequest<Arc<App>> for Signed {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refused> {
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
fn authenticate(app: &App, parts: &Parts) -> Result<Params> {
    let live = app.live();
    let pusher = &live.pusher;
    let path = decoded(parts.uri.path())?;
    // Where the path names none, the key in the query does.
    let named = path.strip_prefix("/apps/").and_then(|path| path.split('/').next());
    let is_this_app = named.is_none_or(|app| app == pusher.app_id);
    if pusher.app_id.is_empty() || !is_this_app {
        return Err(Error::NotFound("there is no such app (pusher.app-id)".to_owned()));
    }
    if app.is_draining() {
        return Err(Error::unavailable("the server is closing"));
    }
    let params = Params::parse(parts.uri.query().unwrap_or_default())?;
    params.verify(pusher, &parts.method, &path, Timestamp::now())?;
    Ok(params)
}
