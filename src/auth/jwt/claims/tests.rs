//! Claims as backends make them, and what is refused about them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: u64 = 1_763_712_000;

fn read(config: &AuthConfig, json: &str) -> Result<Claims> {
    Rules::new(config).read(json.as_bytes(), Timestamp::from_millis(NOW * 1_000))
}

/// The claims beside a `sub` and an `exp` that are right.
fn with(claims: &str) -> Result<Claims> {
    read(&AuthConfig::default(), &format!(r#"{{"sub":"ada","exp":{},{claims}}}"#, NOW + 60))
}

fn reason<T: std::fmt::Debug>(claims: Result<T>) -> String {
    claims.expect_err("it must be refused").to_string()
}

#[test]
fn dates_have_fractions_and_other_forms_of_numbers() {
    let end = |exp: &str| read(&AuthConfig::default(), &format!(r#"{{"sub":"ada","exp":{exp}}}"#)).unwrap().expires_at;
    assert_eq!(end("1763712060.2509").as_millis(), 1_763_712_060_251);
    assert_eq!(end("1.76371206e9").as_millis(), 1_763_712_060_000);
    assert_eq!(end("253402300799").to_string(), "9999-12-31T23:59:59.000Z", "what others take for never");
    for nbf in ["1763712029.999", "0", "-1", "-1e30", "null"] {
        with(&format!(r#""nbf":{nbf}"#)).unwrap();
    }
    for iat in ["1763712000.75", "9999999999", "null"] {
        with(&format!(r#""iat":{iat}"#)).unwrap();
    }
}

#[test]
fn what_is_no_date_is_refused_by_its_name() {
    let cases = [
        ("\"1763712060\"", "not a string"),
        ("true", "not true"),
        ("{}", "not an object"),
        ("[1763712060]", "not a list"),
        ("1763712060000", "1763712060000 looks like milliseconds"),
        ("1763712060000.5", "looks like milliseconds"),
        ("1763712060000000", "is too large"),
        ("18446744073709551615", "is too large"),
        ("1e999", "is too large"),
    ];
    for claim in ["exp", "nbf", "iat"] {
        for (value, must_say) in cases {
            // The last of two fields of the same name counts.
            let said = reason(with(&format!(r#""{claim}":{value}"#)));
            assert!(said.starts_with(&format!("the token's {claim} must be a number")), "{claim} {value}: {said}");
            assert!(said.contains(must_say), "{claim} {value}: {said}");
        }
    }
    let exp = "{\"sub\":\"ada\"}";
    assert_eq!(reason(read(&AuthConfig::default(), exp)), "the token has no exp, which says when it ends");
}

#[test]
fn a_token_counts_from_nbf_to_exp_with_a_leeway_on_both_sides() {
    with(&format!(r#""exp":{}"#, NOW - 29)).unwrap();
    let late = with(&format!(r#""exp":{}"#, NOW - 30)).unwrap_err();
    assert!(matches!(late, Error::TokenExpired(Some(_))), "{late:?}");
    assert_eq!(late.to_string(), "the token expired at 2025-11-21T07:59:30.000Z");
    assert_eq!(reason(with(r#""exp":-5"#)), "the token expired at 1970-01-01T00:00:00.000Z");
    with(&format!(r#""nbf":{}"#, NOW + 30)).unwrap();
    let said = reason(with(&format!(r#""nbf":{}.5"#, NOW + 30)));
    assert_eq!(said, "the token's nbf says that it is not valid before 2025-11-21T08:00:30.500Z");
}

#[test]
fn a_user_is_a_string_or_a_whole_number() {
    let id = |sub: &str| with(&format!(r#""sub":{sub}"#)).map(|claims| String::from(claims.user.id));
    for (sub, expected) in [("\"u-1\"", "u-1"), ("7", "7"), ("-7", "-7"), ("9007199254740993", "9007199254740993")] {
        assert_eq!(id(sub).unwrap(), expected);
    }
    for sub in ["1.5", "2.0", "1e3", "12345678901234567890", "true", "{}", "[\"u-1\"]"] {
        let said = reason(id(sub));
        assert!(said.starts_with("the token's sub must be a string or a whole number, not "), "{sub}: {said}");
    }
    assert!(reason(id("1.5")).ends_with("1.5"));
    assert!(reason(id("\"\"")).starts_with("the token's sub cannot be taken: "), "{}", reason(id("\"\"")));
    assert!(reason(id("\"a\\u0001\"")).contains("control characters"));
    assert_eq!(reason(id("\"\\ud83d\"")), "the token's sub cannot be taken: half a surrogate pair is no character");
    assert_eq!(reason(id("null")), "the token has no sub, which says who it is (auth.user-claim)");
}

#[test]
fn a_name_is_the_id_where_there_is_none() {
    let name = |json: &str| with(&format!(r#""name":{json}"#)).map(|claims| claims.user.name.to_string());
    for (json, expected) in [("\" Ada \"", "Ada"), ("null", "ada"), ("\"\"", "ada"), ("\"  \"", "ada"), ("7", "7")] {
        assert_eq!(name(json).unwrap(), expected, "{json}");
    }
    for json in ["[]", "{\"first\":\"Ada\"}", "false", "1.5"] {
        assert!(reason(name(json)).starts_with("the token's name must be "), "{json}");
    }
    assert!(reason(name(&format!("\"{}\"", "x".repeat(129)))).starts_with("the token's name cannot be taken: "));
}

#[test]
fn half_an_emoji_is_a_replacement_character_everywhere_but_in_keys() {
    let claims = with(r#""name":"A \ud83d","rooms":["a"],"x\ud83d":"\ud83d","aud":"\ud83d""#).unwrap();
    assert_eq!((&*claims.user.name, &claims.rooms[..]), ("A \u{fffd}", &["a".to_owned()][..]));
    let config =
        AuthConfig { name_claim: "data.name".to_owned(), audience: "chat".to_owned(), ..AuthConfig::default() };
    let nested = r#"{"sub":"ada","exp":1763712060,"aud":["\ud83d","chat"],"data":{"\ud83d":1,"name":"Ada"}}"#;
    assert_eq!(&*read(&config, nested).unwrap().user.name, "Ada");
    assert!(reason(with(r#""sub":"ada \ud83d""#)).starts_with("the token's sub cannot be taken: half"));
    assert!(
        reason(with(r#""rooms":["a","a\udc00"]"#)).starts_with("the token's rooms, in each of its entries, cannot")
    );
}

#[test]
fn rooms_are_a_list_of_strings_and_whole_numbers() {
    let rooms = |json: &str| with(&format!(r#""rooms":{json}"#)).map(|claims| claims.rooms);
    assert_eq!(rooms("[\"team-*\", 7]").unwrap(), ["team-*", "7"]);
    assert_eq!(rooms("[]").unwrap(), Vec::<String>::new());
    assert_eq!(rooms("null").unwrap(), Vec::<String>::new());
    for json in ["\"team-*\"", "{\"0\":\"team-*\"}", "7", "true"] {
        assert!(reason(rooms(json)).starts_with("the token's rooms must be a list of strings, not "), "{json}");
    }
    for json in ["[1.5]", "[null]", "[[\"team\"]]", "[\"team\", {}]"] {
        assert!(reason(rooms(json)).starts_with("the token's rooms, in each of its entries, must be "), "{json}");
    }
}

#[test]
fn other_claims_stand_for_the_user_the_name_and_the_rooms() {
    let config = AuthConfig {
        user_claim: "data.id".to_owned(),
        name_claim: "https://example.com/profile.display.name".to_owned(),
        rooms_claim: "a.b.c".to_owned(),
        ..AuthConfig::default()
    };
    let read = |claims: serde_json::Value| {
        let mut all = json!({ "sub": "somebody else", "name": "Somebody", "exp": NOW + 60 });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        read(&config, &all.to_string())
    };
    let nested = json!({
        "data": { "id": 42 },
        "https://example.com/profile": { "display": { "name": "Ada" } },
        "a.b": { "c": ["team"] },
    });
    let claims = read(nested).unwrap();
    assert_eq!(
        (claims.user.id.as_str(), &*claims.user.name, &claims.rooms[..]),
        ("42", "Ada", &["team".to_owned()][..])
    );
    let whole =
        json!({ "data.id": "whole", "data": { "id": "nested" }, "a": { "b.c": ["inner"], "b": { "c": ["x"] } } });
    let claims = read(whole).unwrap();
    assert_eq!(
        (claims.user.id.as_str(), &claims.rooms[..]),
        ("whole", &["inner".to_owned()][..]),
        "longer names first"
    );
    for data in [json!({}), json!({ "data": 7 }), json!({ "data": { "id": null } }), json!({ "data": [{ "id": 1 }] })] {
        assert_eq!(reason(read(data)), "the token has no data.id, which says who it is (auth.user-claim)");
    }
    let said = reason(read(json!({ "data": { "id": { "$oid": "1" } } })));
    assert_eq!(said, "the token's data.id must be a string or a whole number, not an object");
}

#[test]
fn the_audience_and_the_issuer_are_among_those_that_are_named() {
    let config =
        AuthConfig { audience: "chat".to_owned(), issuer: "https://id.example".to_owned(), ..AuthConfig::default() };
    let read =
        |aud: &str, iss: &str| read(&config, &format!(r#"{{"sub":"ada","exp":{},"aud":{aud},"iss":{iss}}}"#, NOW + 60));
    let iss = "\"https://id.example\"";
    for aud in ["\"chat\"", "[\"other\",\"chat\"]"] {
        read(aud, iss).unwrap();
    }
    let said = reason(read("[\"shop\",\"b\\u001b\",\"c\",\"d\"]", iss));
    assert_eq!(said, r#"the token's aud is "shop", "b\u{1b}", "c", another audience than this server's"#);
    assert_eq!(reason(read("[]", iss)), "the token's aud is none, another audience than this server's");
    assert_eq!(reason(read("null", iss)), "the token has no aud, its audience");
    assert_eq!(reason(read("7", iss)), "the token's aud must be a string or a list of them, not 7");
    assert!(reason(read("\"chat\"", "\"https://id.example/\"")).contains("another issuer"));
    let long = format!("\"{}\"", "x".repeat(1_000));
    assert!(reason(read("\"chat\"", &long)).len() < 200);
}

#[test]
fn claims_that_are_no_object_and_deep_ones_are_refused_or_skipped() {
    for json in ["[]", "null", "7", "{", ""] {
        assert_eq!(reason(read(&AuthConfig::default(), json)), "the token's claims are no JSON object");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    with(&format!(r#""other":{deep}"#)).unwrap();
    for claim in ["sub", "name", "exp"] {
        assert!(reason(with(&format!(r#""{claim}":{deep}"#))).starts_with(&format!("the token's {claim} must be ")));
    }
    assert!(reason(with(&format!(r#""rooms":[{deep}]"#))).starts_with("the token's rooms, in each"));
}

proptest! {
    /// Whatever JSON a claim is: it is taken or refused, and never passed over.
    #[test]
    fn every_value_is_taken_or_refused_by_its_name(
        claim in "sub|exp|nbf|iat|name|rooms",
        value in r#"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?|true|"[a-z0-9 ]{0,5}"|\[(0|[1-9][0-9]{0,2})?\]|\{\}"#
    ) {
        match with(&format!(r#""{claim}":{value}"#)) {
            Ok(_) | Err(Error::TokenExpired(Some(_))) => {}
            Err(error) => prop_assert!(error.to_string().starts_with(&format!("the token's {claim}")), "{error}"),
        }
    }
}
