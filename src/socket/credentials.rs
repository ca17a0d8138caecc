//! Where a client may put its credentials: `auth` of CONNECT, else the Authorization header, else the query
//! (v2 clients have no `auth`).

use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    auth::{Credentials, bearer_token},
    config::Secret,
    engine::Handshake,
    error::{Error, Result},
};

/// What stands in `auth` or in the query. Other fields are the application's own business.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Given {
    token: Option<Json>,
    user_id: Option<Json>,
    name: Option<Json>,
}

/// `bad-payload` where a field is neither text nor a number.
pub(super) fn credentials(handshake: &Handshake, auth: &str) -> Result<Credentials> {
    let auth: Given = serde_json::from_str(auth).unwrap_or_default();
    let query: Given = serde_urlencoded::from_str(&handshake.query).unwrap_or_default();
    let secret = |given| Ok::<_, Error>(text("token", given)?.and_then(|token| bearer_token(&token)));
    Ok(Credentials {
        token: secret(auth.token)?.or_else(|| bearer(handshake)).or(secret(query.token)?),
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
fn bearer(handshake: &Handshake) -> Option<Secret> {
    let (scheme, token) = handshake.authorization.as_deref()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| bearer_token(token)).flatten()
}
