//! Who calls: a backend with a key, or a user.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{header::AUTHORIZATION, request::Parts};
use serde::Deserialize;

use super::answer::Failed;
use crate::{
    app::App,
    auth::{Credentials, Identity, Key, is_key},
    config::{Scope, Secret},
    error::{Error, Result},
};

/// Who calls.
pub(super) enum Caller {
    /// A backend, as far as its key's scopes go.
    Backend(Arc<Key>),
    /// A user, who may read what this user may see.
    User(Box<Identity>),
}

/// What stands in the query of a user's request in open mode.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Named {
    user_id: Option<String>,
    name: Option<String>,
}

impl Caller {
    /// A backend with this scope; `forbidden` for users and for keys without it.
    pub(super) fn backend(&self, scope: Scope) -> Result<&Key> {
        match self {
            Self::Backend(key) => key.may(scope).map(|()| &**key),
            Self::User(_) => Err(Error::Forbidden("this needs a backend's key".to_owned())),
        }
    }

    /// For whom something is read: `None` stands for a backend with this scope, which may read everything.
    pub(super) fn reader(&self, scope: Scope) -> Result<Option<&Identity>> {
        match self {
            Self::Backend(key) => key.may(scope).map(|()| None),
            Self::User(identity) => Ok(Some(identity)),
        }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failed> {
        let bearer = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            bearer.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.map(|(_, token)| token.trim()).filter(|token| !token.is_empty());
        if let Some(key) = token.filter(|token| is_key(token)) {
            return Ok(Self::Backend(app.keys.find(key)?));
        }
        // Ids and names count in open mode alone, where everybody is who they say they are.
        let named: Named = serde_urlencoded::from_str(parts.uri.query().unwrap_or_default()).unwrap_or_default();
        let credentials = Credentials { token: token.map(Secret::new), user_id: named.user_id, name: named.name };
        Ok(Self::User(Box::new(app.auth.authenticate(&credentials)?)))
    }
}
