//! Reads a token's claims. A claim of the wrong type is an error that names the claim.

use std::time::Duration;

use serde_json::value::RawValue;

use super::{quoted, refusal};
use crate::{
    config::AuthConfig,
    error::{Error, Result},
    input::{self, Object},
    model::{Timestamp, User, UserId},
};

/// How long a token is accepted after its `exp` and before its `nbf`, since clocks differ.
pub(crate) const LEEWAY: Duration = Duration::from_secs(30);

/// The last second of the year 9999. A larger number is taken for milliseconds, in which it is a time in 1978 or later.
const LAST_SECOND: f64 = 253_402_300_799.0;
/// The same in milliseconds.
const LAST_MILLISECOND: f64 = LAST_SECOND * 1_000.0;
/// Digits of a whole number that may be an id.
const DIGITS_MAX: usize = 19;

/// The claims that the server uses.
#[derive(Debug)]
pub(in crate::auth) struct Claims {
    pub(in crate::auth) user: User,
    pub(in crate::auth) rooms: Vec<String>,
    pub(in crate::auth) expires_at: Timestamp,
}

/// The names of the claims, and their required values.
pub(super) struct Rules {
    user: String,
    name: String,
    rooms: String,
    audience: String,
    issuer: String,
}

impl Rules {
    pub(super) fn new(config: &AuthConfig) -> Self {
        Self {
            user: config.user_claim.clone(),
            name: config.name_claim.clone(),
            rooms: config.rooms_claim.clone(),
            audience: config.audience.clone(),
            issuer: config.issuer.clone(),
        }
    }

    /// Reads the claims of a token whose signature was verified.
    pub(super) fn read(&self, json: &[u8], now: Timestamp) -> Result<Claims> {
        let claims = object(json).ok_or_else(|| refusal("the token's claims are no JSON object"))?;
        let expires_at = within_its_time(&claims, now)?;
        must_name(&claims, "iss", &self.issuer, "issuer")?;
        must_name(&claims, "aud", &self.audience, "audience")?;
        Ok(Claims { user: self.user(&claims)?, rooms: self.rooms(&claims)?, expires_at })
    }

    fn user(&self, claims: &Object<'_>) -> Result<User> {
        let claim = &self.user;
        let value = find(claims, claim)
            .ok_or_else(|| refusal(format!("the token has no {claim}, which says who it is (auth.user-claim)")))?;
        let id = key(claim, value)?;
        let unfit = |claim: &str, why: String| refusal(format!("the token's {claim} cannot be taken: {why}"));
        let user_id = UserId::parse(&id).map_err(|why| unfit(claim, why))?;
        let name = find(claims, &self.name).map(|value| text(&self.name, value)).transpose()?;
        match name.filter(|name| !name.trim().is_empty()) {
            Some(name) => User::new(user_id, &name).map_err(|why| unfit(&self.name, why)),
            None => User::new(user_id, &id).map_err(|why| unfit(claim, why)),
        }
    }

    fn rooms(&self, claims: &Object<'_>) -> Result<Vec<String>> {
        let Some(value) = find(claims, &self.rooms) else { return Ok(Vec::new()) };
        let claim = &self.rooms;
        let rooms: Vec<&RawValue> = serde_json::from_str(value.get())
            .map_err(|_| refusal(format!("the token's {claim} must be a list of strings, not {}", kind(value))))?;
        rooms.into_iter().map(|room| key(&format!("{claim}, in each of its entries,"), room)).collect()
    }
}

/// The claim at a path such as `data.id`; `None` if it is null. A claim whose name contains dots, such as
/// `https://example.com/user`, takes precedence over a nested one, and a longer name over a shorter one.
fn find<'a>(claims: &Object<'a>, path: &str) -> Option<&'a RawValue> {
    let whole = claims.get(path).filter(|value| value.get() != "null");
    whole.or_else(|| {
        path.rmatch_indices('.').find_map(|(dot, _)| {
            let nested = Object::of(claims.get(&path[..dot])?.get())?;
            find(&nested, &path[dot + 1..])
        })
    })
}

/// The time of `exp`; an error if `now` is not between `nbf` and `exp`.
fn within_its_time(claims: &Object<'_>, now: Timestamp) -> Result<Timestamp> {
    let end = date(claims, "exp")?.ok_or_else(|| refusal("the token has no exp, which says when it ends"))?;
    let begin = date(claims, "nbf")?;
    date(claims, "iat")?;
    let leeway = LEEWAY.as_millis() as u64;
    if end.as_millis().saturating_add(leeway) <= now.as_millis() {
        return Err(Error::TokenExpired(Some(end)));
    }
    match begin {
        Some(begin) if begin.as_millis() > now.as_millis().saturating_add(leeway) => {
            Err(refusal(format!("the token's nbf says that it is not valid before {begin}")))
        }
        _ => Ok(end),
    }
}

/// A NumericDate (RFC 7519, section 2): seconds since 1970, with or without a fraction. Times before 1970 count
/// as 1970.
fn date(claims: &Object<'_>, claim: &str) -> Result<Option<Timestamp>> {
    let Some(value) = find(claims, claim) else { return Ok(None) };
    let number =
        Some(value.get()).filter(|text| text.starts_with(|first: char| first == '-' || first.is_ascii_digit()));
    let wrong = || format!("the token's {claim} must be a number, the seconds since 1970");
    let seconds: f64 = number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| refusal(format!("{}, not {}", wrong(), kind(value))))?;
    if seconds > LAST_MILLISECOND {
        return Err(refusal(format!("{}: {} is too large", wrong(), kind(value))));
    }
    if seconds > LAST_SECOND {
        return Err(refusal(format!("{}: {} looks like milliseconds", wrong(), kind(value))));
    }
    Ok(Some(Timestamp::from_millis((seconds * 1_000.0).round() as u64)))
}

/// Refuses a token whose claim is neither `expected` nor a list with it. Checks nothing if `expected` is empty.
fn must_name(claims: &Object<'_>, claim: &str, expected: &str, what: &str) -> Result<()> {
    if expected.is_empty() {
        return Ok(());
    }
    let value = find(claims, claim).ok_or_else(|| refusal(format!("the token has no {claim}, its {what}")))?;
    let all = match input::decoded(value.get()) {
        Some(name) => Some(vec![name]),
        None => serde_json::from_str::<Vec<&RawValue>>(value.get())
            .ok()
            .and_then(|names| names.into_iter().map(|name| input::decoded(name.get())).collect()),
    };
    let names = all.ok_or_else(|| {
        refusal(format!("the token's {claim} must be a string or a list of them, not {}", kind(value)))
    })?;
    if names.iter().any(|name| name == expected) {
        return Ok(());
    }
    let named: Vec<String> = names.iter().take(3).map(|name| quoted(name)).collect();
    let named = if named.is_empty() { "none".to_owned() } else { named.join(", ") };
    Err(refusal(format!("the token's {claim} is {named}, another {what} than this server's")))
}

/// The members of an object's JSON.
pub(super) fn object(json: &[u8]) -> Option<Object<'_>> {
    Object::of(str::from_utf8(json).ok()?)
}

/// As [`text`], but half a surrogate pair is an error.
fn key(claim: &str, value: &RawValue) -> Result<String> {
    if input::has_lone_surrogate(value.get()) {
        return Err(refusal(format!("the token's {claim} cannot be taken: {}", input::LONE_SURROGATE)));
    }
    text(claim, value)
}

/// A string, or a whole number as it is written.
fn text(claim: &str, value: &RawValue) -> Result<String> {
    let json = value.get();
    if let Some(text) = input::decoded(json) {
        return Ok(text.into_owned());
    }
    let digits = json.strip_prefix('-').unwrap_or(json);
    if (1..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Ok(json.to_owned());
    }
    Err(refusal(format!("the token's {claim} must be a string or a whole number, not {}", kind(value))))
}

/// A value for an error message: numbers as they are written, other values by their type.
pub(super) fn kind(value: &RawValue) -> String {
    match value.get().as_bytes().first() {
        Some(b'"') => "a string".to_owned(),
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "a list".to_owned(),
        // A number, true, false or null: nothing needs to be escaped.
        _ => value.get().chars().take(super::SHOWN_MAX).collect(),
    }
}

#[cfg(test)]
mod tests;
