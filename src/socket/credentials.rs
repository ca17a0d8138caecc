//! Where a client may put its credentials: `auth` of CONNECT, else the Authorization header, else the query
//! (v2 clients have no `auth`).

use std::net::IpAddr;

use http::{header::AUTHORIZATION, request::Parts};
use serde::Deserialize;
use socketioxide_core::Value;

use crate::{auth::Credentials, config::Secret};

/// The address a request came from, as an extension of the request: the peer's, or what a trusted proxy says.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// What stands in `auth` or in the query. Other fields are the application's own business.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Given {
    token: Option<Secret>,
    user_id: Option<String>,
    name: Option<String>,
}

pub(super) fn credentials(request: &Parts, auth: Option<&Value>) -> Credentials {
    let auth: Given = auth.and_then(Value::as_str).and_then(|auth| serde_json::from_str(auth).ok()).unwrap_or_default();
    let query: Given = request.uri.query().and_then(|query| serde_urlencoded::from_str(query).ok()).unwrap_or_default();
    Credentials {
        token: auth.token.or_else(|| bearer(request)).or(query.token).filter(|token| !token.expose().is_empty()),
        user_id: auth.user_id.or(query.user_id),
        name: auth.name.or(query.name),
    }
}

/// RFC 6750, section 2.1.
fn bearer(request: &Parts) -> Option<Secret> {
    let (scheme, token) = request.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
}

pub(super) fn address(request: &Parts) -> Option<IpAddr> {
    request.extensions.get::<ClientAddress>().map(|address| address.0)
}
