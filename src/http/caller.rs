//! Authenticates the caller of the API: a backend with a key, or a user.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header::AUTHORIZATION, request::Parts};

use super::response::{ApiError, too_fast};
use crate::{
    app::App,
    auth::{Credentials, Identity, Key, bearer_token, is_key},
    config::{Scope, Secret},
    engine::ClientAddress,
    error::{Error, Result},
    input::Fields,
};

const NEEDS_KEY: &str = "this needs a backend's key, as in Authorization: Bearer sk_...";

/// An authenticated caller.
pub(super) enum Caller {
    /// A backend with the scopes of its key.
    Backend(Arc<Key>),
    /// A user, who may read what this user may see.
    User(Box<Identity>),
}

impl Caller {
    /// Requires a backend with this scope. `forbidden` for users and for keys without the scope, `unauthorized` without
    /// credentials.
    pub(super) fn backend(&self, scope: Scope) -> Result<&Key> {
        let key = self.require_backend()?;
        key.may(scope)?;
        Ok(key)
    }

    /// Requires a backend with any scope. Errors as with [`Self::backend`].
    fn require_backend(&self) -> Result<&Key> {
        match self {
            Self::Backend(key) => Ok(key),
            Self::User(identity) if identity.is_guest => Err(Error::Unauthorized(NEEDS_KEY.to_owned())),
            Self::User(_) => Err(Error::Forbidden(NEEDS_KEY.to_owned())),
        }
    }

    /// The user as whom data is read. `None` for a backend with this scope, which may read everything.
    pub(super) fn reader(&self, scope: Scope) -> Result<Option<&Identity>> {
        match self {
            Self::Backend(key) => key.may(scope).map(|()| None),
            Self::User(identity) => Ok(Some(identity)),
        }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let caller = authenticate(parts, app).map_err(|error| ApiError(error).into_response())?;
        // Checked before the body is read.
        if !parts.method.is_safe() {
            caller.require_backend().map_err(|error| ApiError(error).into_response())?;
        }
        let wait = match &caller {
            Self::Backend(key) => key.wait(),
            Self::User(identity) => {
                let address = parts.extensions.get::<ClientAddress>().map(|address| address.0);
                let has_token = identity.expires_at.is_some();
                app.requests.wait(has_token.then_some(&identity.user.id), address)
            }
        };
        match wait {
            None => Ok(caller),
            Some(wait) => {
                app.metrics.limited("requests-per-second");
                Err(too_fast(wait))
            }
        }
    }
}

/// Whether a request has a valid API key.
pub(crate) fn has_key(app: &App, headers: &HeaderMap) -> bool {
    bearer(headers).is_some_and(|token| is_key(token.expose()) && app.keys.find(token.expose()).is_ok())
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { bearer_token(token) } else { None }
}

fn authenticate(parts: &Parts, app: &App) -> Result<Caller> {
    let token = bearer(&parts.headers);
    if let Some(key) = token.as_ref().map(Secret::expose).filter(|token| is_key(token)) {
        return Ok(Caller::Backend(app.keys.find(key)?));
    }
    // `authenticate` uses the id and the name in open mode only.
    let query = Fields::of(parts.uri.query().unwrap_or_default());
    let named = |name| query.get(name).map(|text| text.map(str::to_owned)).map_err(Error::BadPayload);
    let credentials = Credentials { token, user_id: named("userId")?, name: named("name")? };
    Ok(Caller::User(Box::new(app.auth.authenticate(&credentials)?)))
}
