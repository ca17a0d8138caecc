//! Accepted origins, matching, and the suggestions for refused ones.

use proptest::prelude::*;

use super::*;

fn allows(origin: &str, header: &'static str) -> bool {
    Origin::parse(origin).unwrap().allows(&HeaderValue::from_static(header))
}

#[test]
fn an_exact_origin_or_a_star_matches_but_null_only_if_listed() {
    assert!(allows("https://app.example.com", "https://app.example.com"));
    assert!(allows("https://app.example.com", "HTTPS://App.Example.Com"));
    assert!(!allows("https://app.example.com", "https://app.example.com.evil.org"));
    assert!(!allows("https://app.example.com", "http://app.example.com"));
    assert!(allows("*", "https://anything.example"));
    assert!(allows("*", "capacitor://localhost"));
    assert!(!allows("*", "null"));
    assert!(allows("null", "null"));
    assert!(!allows("null", "https://null"));
}

#[test]
fn a_wildcard_matches_every_subdomain_or_every_port() {
    let below = "https://*.example.com";
    for header in ["https://app.example.com", "https://a.b.example.com", "https://app.example.com:443"] {
        assert!(allows(below, header), "{header}");
    }
    for header in [
        "https://example.com",
        "https://evilexample.com",
        "https://app.example.com.evil.org",
        "https://app.example.com:8443",
        "http://app.example.com",
        "https://evil.org/.example.com",
        "https://evil.org?.example.com",
        "https://evil.org#.example.com",
        "https://evil.org@app.example.com",
        "https://[.example.com",
    ] {
        assert!(!allows(below, header), "{header}");
    }
    for header in ["http://localhost", "http://localhost:80", "http://localhost:5173"] {
        assert!(allows("http://localhost:*", header), "{header}");
    }
    for header in
        ["https://localhost:5173", "http://localhost.evil.org:5173", "http://localhost:5173:1", "http://localhost:x"]
    {
        assert!(!allows("http://localhost:*", header), "{header}");
    }
    assert!(allows("https://*.example.com:*", "https://app.example.com:8443"));
    assert!(allows("http://*", "http://anything.example") && !allows("http://*", "http://anything.example:8080"));
    assert!(allows("http://[::1]:*", "http://[::1]:5173"));
}

#[test]
fn a_default_port_equals_no_port_in_settings_and_headers() {
    for (origin, header) in [
        ("https://app.example.com:443", "https://app.example.com"),
        ("https://app.example.com", "https://app.example.com:443"),
        ("http://app.example.com:80", "http://app.example.com"),
    ] {
        assert!(allows(origin, header), "{origin} {header}");
    }
    assert!(!allows("https://app.example.com:80", "https://app.example.com"));
    assert!(!allows("https://app.example.com", "https://app.example.com:80"));
}

#[test]
fn origins_of_apps_and_files_are_accepted() {
    for origin in [
        "capacitor://localhost",
        "ionic://localhost",
        "tauri://localhost",
        "file://",
        "app://.",
        "app://",
        "chrome-extension://abcdefghijklmnop",
        "moz-extension://8d1f",
        "vscode-webview://1abc",
    ] {
        let header = HeaderValue::from_str(origin).unwrap();
        assert!(Origin::parse(origin).unwrap().allows(&header), "{origin}");
        assert!(!Origin::parse("https://app.example.com").unwrap().allows(&header), "{origin}");
    }
    assert!(!allows("file://", "null"));
    assert!(!allows("file://", "file://evil"));
    assert!(!allows("capacitor://localhost", "http://localhost"));
    assert!(!allows("capacitor://localhost", "capacitor://localhost:80"), "it has no default port");
    assert!(allows("chrome-extension://*", "chrome-extension://abcdefghijklmnop"));
    assert!(allows("safari-web-extension://0A1B", "safari-web-extension://0a1b"));
}

#[test]
fn origins_are_normalized_to_what_browsers_send() {
    for (text, expected) in [
        ("HTTPS://App.Example.Com", "https://app.example.com"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://*.bücher.example:443", "https://*.xn--bcher-kva.example"),
        ("http://[0:0:0:0:0:0:0:1]:80", "http://[::1]"),
        ("http://127.1:5173", "http://127.0.0.1:5173"),
        ("NULL", "null"),
    ] {
        assert_eq!(String::from(Origin::parse(text).unwrap()), expected);
    }
}

#[test]
fn an_origin_that_can_never_match_is_refused_and_the_right_form_suggested() {
    for (text, instead) in [
        ("https://app.example.com/", "https://app.example.com"),
        ("https://App.example.com/chat?x#y", "https://app.example.com"),
        ("https://app.example.com?x", "https://app.example.com"),
        ("https://bücher.example/", "https://xn--bcher-kva.example"),
        ("app.example.com", "https://app.example.com"),
        ("*.example.com", "https://*.example.com"),
        ("localhost:5173", "http://localhost:5173"),
        ("127.0.0.1:5173", "http://127.0.0.1:5173"),
        ("wss://app.example.com", "https://app.example.com"),
        ("ws://localhost:8000", "http://localhost:8000"),
        ("https://me@app.example.com", "https://app.example.com"),
        ("https://app.example.com:0", "https://app.example.com"),
        ("https://app.example.com:99999", "https://app.example.com"),
        ("https://app.example.com:80*", "https://app.example.com"),
        ("file:///", "file://"),
        ("file:", "file://"),
        ("app:8000", "https://app:8000"),
        ("https:app.example.com", "https://app.example.com"),
        ("http:/localhost:3000", "http://localhost:3000"),
        ("capacitor:localhost", "capacitor://localhost"),
        ("data:", "null"),
        ("about:blank", "null"),
        ("https:", "https://app.example.com"),
        ("file:///index.html", "file://"),
        ("file://localhost", "file://"),
        ("File://server/share", "file://"),
        ("javascript://x", "null"),
        ("data://", "null"),
        ("about://blank", "null"),
        ("blob://https", "null"),
        ("capacitor://localhost/", "capacitor://localhost"),
    ] {
        let said = Origin::parse(text).unwrap_err();
        assert!(said.starts_with(&format!("{text:?} is no origin: ")), "{said}");
        assert!(said.ends_with(&format!("as in {instead:?}")), "{text}: {said}");
    }
    for text in [
        "",
        "https://",
        "nonsense/",
        "https://*example.com",
        "https://app-*.example.com",
        "https://a b",
        " https://app.example.com",
        "https://::1",
        "1://x",
        "://x",
        "https://*.",
        "https://a..com",
        "https://.a.com",
        "https://*..a.com",
        "*://localhost",
        "app://ü",
        "app://a b",
        "mailto:me",
    ] {
        assert!(Origin::parse(text).is_err(), "{text}");
    }
}

proptest! {
    /// Every accepted origin matches the header of that origin, and has one canonical text.
    #[test]
    fn an_accepted_origin_is_canonical_and_matches_itself(
        text in r"((https?|HTTP|app|file|wss?|[a-z+.-]{1,4})://)?[a-zA-Z0-9.*ü\[\]@/?# -]{0,20}(:[0-9*:]{0,6})?"
    ) {
        if let Ok(origin) = Origin::parse(&text) {
            prop_assert_eq!(Origin::parse(&origin.text), Ok(origin.clone()));
            if !origin.text.contains('*') {
                let header = HeaderValue::from_str(&origin.text).expect("it can stand in a header");
                prop_assert!(origin.allows(&header), "{:?}", origin);
            }
        }
    }

    #[test]
    fn an_arbitrary_header_is_parsed_without_a_panic(header in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(header) = HeaderValue::from_bytes(&header) {
            let is_listed = Origin::parse("https://*.example.com:*").unwrap().allows(&header);
            prop_assert!(!is_listed || SentOrigin::parse(&header).unwrap().host.len() > ".example.com".len());
        }
    }
}
