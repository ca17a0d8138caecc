//! Where a client may put its credentials: `auth` of CONNECT, else the Authorization header, else the query
//! (v2 clients have no `auth`).

use std::net::IpAddr;

use http::{header::AUTHORIZATION, request::Parts};
use serde::Deserialize;
use serde_json::Value as Json;
use socketioxide_core::Value;

use crate::{
    auth::Credentials,
    config::Secret,
    error::{Error, Result},
};

/// The address a request came from, as an extension of the request: the peer's, or what a trusted proxy says.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// What stands in `auth` or in the query. Other fields are the application's own business.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Given {
    token: Option<Json>,
    user_id: Option<Json>,
    name: Option<Json>,
}

/// `bad-payload` where a field is neither text nor a number.
pub(super) fn credentials(request: &Parts, auth: Option<&Value>) -> Result<Credentials> {
    let auth: Given = auth.and_then(Value::as_str).and_then(|auth| serde_json::from_str(auth).ok()).unwrap_or_default();
    let query: Given = request.uri.query().and_then(|query| serde_urlencoded::from_str(query).ok()).unwrap_or_default();
    let secret = |given| Ok::<_, Error>(text("token", given)?.filter(|token| !token.is_empty()).map(Secret::new));
    Ok(Credentials {
        token: secret(auth.token)?.or_else(|| bearer(request)).or(secret(query.token)?),
        user_id: text("userId", auth.user_id)?.or(text("userId", query.user_id)?),
        name: text("name", auth.name)?.or(text("name", query.name)?),
    })
}

/// Many an app has numbers for ids.
fn text(field: &str, given: Option<Json>) -> Result<Option<String>> {
    match given {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(Json::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(Error::BadPayload(format!("{field} must be a string"))),
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
