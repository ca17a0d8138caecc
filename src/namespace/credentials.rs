//! Reads a client's credentials: from the `auth` of CONNECT, else from the Authorization header, else from the query.
//! Clients of Engine.IO 3 have no `auth`. Also the server's own check of them.

use http::header::AUTHORIZATION;
use serde_json::value::RawValue;

use crate::{
    app::App,
    auth::{Credentials, Identity, bearer_token},
    config::{AuthMode, Secret},
    engine::Handshake,
    error::{Error, Result},
    input::{self, Fields, Object, described},
};

/// Authenticates a client with the server's own check of credentials. On a bare server in open mode, a client without
/// valid credentials is a guest, because there `auth` belongs to the application.
pub(super) fn authenticate(app: &App, handshake: &Handshake) -> Result<Identity> {
    let identity = credentials(handshake).and_then(|given| app.auth.authenticate(&given));
    if app.is_bare() && app.config.auth.mode == AuthMode::Open {
        return Ok(identity.unwrap_or_else(|_| app.auth.guest()));
    }
    identity
}

/// The credentials. `bad-payload` if a field has a wrong type or value. Null counts as missing: pages read it from an
/// empty `localStorage`. Other fields of `auth` belong to the application and are not checked.
fn credentials(handshake: &Handshake) -> Result<Credentials> {
    let auth = match handshake.sent_auth() {
        "" => None,
        auth => {
            let no_object = || Error::BadPayload("auth must be an object".to_owned());
            Some(Object::of(auth).ok_or_else(no_object)?)
        }
    };
    let auth = |name| auth.as_ref().and_then(|auth| auth.get(name)).filter(|value| value.get() != "null");
    let query = Fields::of(handshake.query_text());
    let query = |name| Ok::<_, Error>(query.get(name).map_err(Error::BadPayload)?.map(str::to_owned));
    let text = |text: &str| Ok(text.to_owned());
    let user_id = match auth("userId") {
        Some(value) => Some(input::key("userId", value, text).map_err(Error::BadPayload)?),
        None => query("userId")?,
    };
    let name = match auth("name") {
        Some(value) => Some(input::name("name", value, text).map_err(Error::BadPayload)?),
        None => query("name")?,
    };
    let given = match auth("token") {
        Some(value) => bearer_token(&secret("token", value)?),
        None => None,
    };
    let token = match given.or_else(|| bearer(handshake)) {
        None => query("token")?.and_then(|token| bearer_token(&token)),
        token => token,
    };
    Ok(Credentials { token, user_id, name })
}

/// Reads a secret, which must be a string. The error does not contain the value.
fn secret(field: &str, value: &RawValue) -> Result<String> {
    let is_number = value.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let wrong = || {
        let came = if is_number { "a number".into() } else { described(value.get()) };
        Error::BadPayload(format!("{field} must be a string, not {came}"))
    };
    Ok(input::decoded(value.get()).ok_or_else(wrong)?.into_owned())
}

/// The token of the Authorization header (RFC 6750, section 2.1).
fn bearer(handshake: &Handshake) -> Option<Secret> {
    let (scheme, token) = handshake.header(AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| bearer_token(token)).flatten()
}
