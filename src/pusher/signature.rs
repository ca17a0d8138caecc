//! The signature of a request: an HMAC over its method, path and query parameters. One of the parameters is the digest
//! of the body. Path and parameters are signed without percent-encoding.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use http::Method;
use md5::{Digest, Md5};
use percent_encoding::percent_decode_str;
use sha2::Sha256;

use crate::{
    config::PusherConfig,
    error::{Error, Result},
    model::Timestamp,
};

/// How far a request's clock may be from the server's, in seconds.
const CLOCK_SECONDS: u64 = 600;

/// The decoded query parameters of a request, by their names in lower case.
#[derive(Debug, Default)]
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    /// Parses a URL's query. `bad-payload` if a name is repeated.
    pub(super) fn parse(query: &str) -> Result<Self> {
        let mut params = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name)?.to_lowercase();
            if params.insert(name, decoded(value)?).is_some() {
                return Err(Error::BadPayload("a parameter of the query comes twice".to_owned()));
            }
        }
        Ok(Self(params))
    }

    /// One parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Checks everything but the body: the key, the clock and the signature over path and parameters.
    pub(super) fn verify(&self, app: &PusherConfig, method: &Method, path: &str, now: Timestamp) -> Result<()> {
        if self.get("auth_key") != Some(&app.key) {
            return refused("auth_key is not this app's");
        }
        if self.get("auth_version") != Some("1.0") {
            return refused("auth_version must be 1.0");
        }
        let Some(signed_at) = self.get("auth_timestamp").and_then(|seconds| seconds.parse::<u64>().ok()) else {
            return refused("auth_timestamp must be a time in seconds since 1970");
        };
        if signed_at.abs_diff(now.as_millis() / 1_000) > CLOCK_SECONDS {
            return refused("auth_timestamp is more than 600 s away from the server's clock");
        }
        let Some(signature) = self.get("auth_signature").and_then(|text| hex::decode(text).ok()) else {
            return refused("auth_signature must be given in hexadecimal");
        };
        let mut mac =
            Hmac::<Sha256>::new_from_slice(app.secret.expose().as_bytes()).expect("any length of key will do");
        mac.update(self.signed_text(method, path).as_bytes());
        if mac.verify_slice(&signature).is_err() {
            return refused("auth_signature does not match: is the secret the right one?");
        }
        Ok(())
    }

    /// Checks the body against its digest, one of the signed parameters.
    pub(super) fn verify_body(&self, body: &[u8]) -> Result<()> {
        match self.get("body_md5") {
            None if body.is_empty() => Ok(()),
            None => refused("body_md5 is missing"),
            Some(digest) if digest == hex::encode(Md5::digest(body)) => Ok(()),
            Some(_) => refused("body_md5 does not match the body"),
        }
    }

    fn signed_text(&self, method: &Method, path: &str) -> String {
        let params = self.0.iter().filter(|(name, _)| *name != "auth_signature");
        let params: Vec<_> = params.map(|(name, value)| format!("{name}={value}")).collect();
        format!("{method}\n{path}\n{}", params.join("&"))
    }
}

/// Percent-decodes a part of a URL. `+` stays `+`: the libraries encode a space as `%20`.
pub(super) fn decoded(text: &str) -> Result<String> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(String::from).map_err(|_| Error::BadPayload("the address is not UTF-8".to_owned()))
}

fn refused<T>(sentence: &str) -> Result<T> {
    Err(Error::Unauthorized(sentence.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Secret;

    /// The example of Pusher's documentation.
    const BODY: &str = r#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#;
    const QUERY: &str = "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0\
        &body_md5=ec365a775a4cd0599faeb73354201b6f\
        &auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";
    const PATH: &str = "/apps/3/events";
    const SIGNED_AT: u64 = 1_353_088_179;

    fn app() -> PusherConfig {
        let (app_id, key) = ("3".to_owned(), "278d425bdf160c739803".to_owned());
        PusherConfig { app_id, key, secret: Secret::new("7ad3773142a6692b25b8") }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn verify(query: &str, path: &str, now: u64) -> Result<()> {
        Params::parse(query)?.verify(&app(), &Method::POST, path, at(now))
    }

    /// A query with the right signature, as the libraries make it: nothing is escaped.
    fn signed(path: &str, params: &str) -> String {
        let query = format!("auth_key={}&auth_timestamp={SIGNED_AT}&auth_version=1.0{params}", app().key);
        let mut mac = Hmac::<Sha256>::new_from_slice(app().secret.expose().as_bytes()).unwrap();
        mac.update(format!("POST\n{path}\n{query}").as_bytes());
        format!("{query}&auth_signature={}", hex::encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn the_documented_example_is_valid_and_any_change_makes_it_invalid() {
        verify(QUERY, PATH, SIGNED_AT).unwrap();
        Params::parse(QUERY).unwrap().verify_body(BODY.as_bytes()).unwrap();
        let mistakes = [
            QUERY.replace("&body_md5=ec", "&body_md5=ed"),
            QUERY.replace("&auth_signature=da", "&auth_signature=db"),
            QUERY.replace("&auth_signature=da", "&auth_signature="),
            QUERY.replace("auth_key=2", "auth_key=3"),
            QUERY.replace("_version=1.0", "_version=2.0"),
            QUERY.replace("=1353088179", "=1353088180"),
            QUERY.replace("=1353088179", "=soon"),
            QUERY.replace("=1353088179", "=-1"),
            format!("{QUERY}&more=1"),
            String::new(),
        ];
        for query in mistakes {
            let error = verify(&query, PATH, SIGNED_AT).unwrap_err();
            assert!(matches!(error, Error::Unauthorized(_)), "{query}: {error:?}");
        }
        assert!(verify(QUERY, "/apps/3/batch_events", SIGNED_AT).is_err());
        let params = Params::parse(QUERY).unwrap();
        assert!(params.verify(&app(), &Method::GET, PATH, at(SIGNED_AT)).is_err());
    }

    #[test]
    fn the_body_must_match_its_digest() {
        let params = Params::parse(QUERY).unwrap();
        assert!(params.verify_body(BODY.replace("foo", "fox").as_bytes()).is_err());
        assert!(params.verify_body(b"").is_err());
        let without = Params::default();
        without.verify_body(b"").unwrap();
        assert!(without.verify_body(b"{}").is_err());
    }

    #[test]
    fn clocks_may_differ_by_ten_minutes() {
        for now in [SIGNED_AT - 600, SIGNED_AT + 600] {
            verify(QUERY, PATH, now).unwrap();
        }
        for now in [SIGNED_AT - 601, SIGNED_AT + 601, 0] {
            assert!(verify(QUERY, PATH, now).is_err(), "{now}");
        }
        let far = QUERY.replace("1353088179", &u64::MAX.to_string());
        assert!(verify(&far, PATH, SIGNED_AT).is_err());
    }

    #[test]
    fn path_and_parameters_are_signed_without_percent_encoding() {
        let path = "/apps/3/users/user with \u{fc}/terminate_connections";
        let query = signed(path, "&filter_by_prefix=presence- +\u{fc}");
        verify(&query.replace(' ', "%20").replace('\u{fc}', "%C3%BC"), path, SIGNED_AT).unwrap();
        let params = Params::parse("filter_by_prefix=presence-%20+%C3%BC").unwrap();
        assert_eq!(params.get("filter_by_prefix"), Some("presence- +\u{fc}"));
    }

    #[test]
    fn names_are_signed_in_lower_case_and_must_not_be_repeated() {
        verify(&QUERY.replace("auth_key", "Auth_Key"), PATH, SIGNED_AT).unwrap();
        for query in ["a=1&a=1", "a=1&A=2", "a=%ff", "%ff=1"] {
            assert!(matches!(Params::parse(query), Err(Error::BadPayload(_))), "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_query_and_any_body_are_checked_without_a_panic(query in "\\PC*", value in "\\PC*", body: Vec<u8>, now in 0..u64::MAX / 1_000) {
            let with_value = format!("{}&auth_signature={value}", QUERY.split("&auth_signature").next().unwrap());
            for query in [query, with_value, signed(PATH, &format!("&x={value}"))] {
                let Ok(params) = Params::parse(&query) else { continue };
                drop(params.verify(&app(), &Method::POST, PATH, at(now)));
                prop_assert_eq!(params.verify_body(&body).is_ok(), body.is_empty() && params.get("body_md5").is_none());
            }
        }
    }
}
