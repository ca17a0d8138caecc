//! A client's credentials: from the `auth` of CONNECT, else from the Authorization header, else from the query (clients
//! of Engine.IO 3 have no `auth`).

use serde_json::value::RawValue;

use crate::{
    auth::{Credentials, bearer_token},
    config::Secret,
    engine::Handshake,
    error::{Error, Result},
    input::{self, Fields, Object, described},
};

/// `bad-payload` where a field has a wrong type or value. Null counts as missing: pages read it from an empty storage.
/// Other fields belong to the application and are not checked.
pub(super) fn credentials(handshake: &Handshake, auth: &str) -> Result<Credentials> {
    let auth = match auth {
        "" => None,
        auth => {
            let no_object = || Error::BadPayload("auth must be an object".to_owned());
            Some(Object::of(auth).ok_or_else(no_object)?)
        }
    };
    let auth = |name| auth.as_ref().and_then(|auth| auth.get(name)).filter(|value| value.get() != "null");
    let query = Fields::of(&handshake.query);
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

/// A secret as a string. Its error does not repeat the value.
fn secret(field: &str, value: &RawValue) -> Result<String> {
    let is_number = value.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let wrong = || {
        let came = if is_number { "a number".into() } else { described(value.get()) };
        Error::BadPayload(format!("{field} must be a string, not {came}"))
    };
    Ok(input::decoded(value.get()).ok_or_else(wrong)?.into_owned())
}

/// RFC 6750, section 2.1.
fn bearer(handshake: &Handshake) -> Option<Secret> {
    let (scheme, token) = handshake.authorization.as_deref()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| bearer_token(token)).flatten()
}
